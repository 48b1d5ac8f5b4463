"""Reports of a stored run: terminal, JSON, CSV, Markdown, HTML and Parquet; see ``registry``."""
