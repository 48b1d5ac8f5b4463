"""Judges: text to verdict."""
