"""Two runs, or a run and a stored baseline: is the second better, worse, the same, or is it not known?"""
