"""Training pairs and dilemmas written by a language model, step by step, every reply kept."""
