"""Gates: which prompts a method may act on."""
