"""Methods ranked on the same items: which is better, by how much, and where it is not known."""
