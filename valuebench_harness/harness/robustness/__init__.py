"""``vharness robustness``: how much of a steering effect stays where items are asked another way or pairs are few."""
