"""The text grammar of ``mini``: words, planted causal model, generator and parser; no torch."""
