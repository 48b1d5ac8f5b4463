"""Writes the JSON schema of expectation files: ``python -m valuebench_harness.pytest_plugin.schema``."""

from __future__ import annotations

import json
from pathlib import Path

from valuebench_harness.pytest_plugin.expectations import schema

PATH = Path(__file__).with_name("expectations.schema.json")

if __name__ == "__main__":
    PATH.write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")
