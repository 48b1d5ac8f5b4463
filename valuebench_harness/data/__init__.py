"""Items and values: schemas, loaders, checks, and where real data comes from."""
