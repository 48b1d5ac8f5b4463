"""Evaluation tasks: lm-eval YAML, the data shipped with it, prompts and task metrics.

``lm_eval --include_path`` takes the folder that :func:`include_path` names.
"""

from __future__ import annotations

from pathlib import Path


def include_path() -> Path:
    """The folder of the YAML tasks."""
    return Path(__file__).parent
