"""The pytest plugin ``vharness``: expectations on steered models as tests, in Python or YAML.

:mod:`.plugin` holds pytest's hooks and imports nothing heavy; all else is imported when a test uses it.
"""
