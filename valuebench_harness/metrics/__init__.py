"""Metrics: pure functions on records, no I/O and no torch."""
