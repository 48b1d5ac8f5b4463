from __future__ import annotations

import os
from pathlib import Path

import pytest

from valuebench_harness.causal.table import OrientationTable, read_table

CHOSEN = ("14351", "1025", "2965", "10096", "1341", "1975", "10605", "14049", "1312", "4752")
"""The features behind the published graph."""


@pytest.fixture(scope="session")
def kang() -> Path:
    """Folder of the published answers."""
    root = os.environ.get("VHARNESS_DATA_DIR")
    folder = Path(root or "") / "kang2025"
    if not root or not folder.is_dir():
        pytest.skip("VHARNESS_DATA_DIR names no folder with kang2025/")
    return folder


@pytest.fixture(scope="session")
def train(kang: Path) -> OrientationTable:
    return read_table(kang / "ans_gemma_train_formal.csv")


@pytest.fixture(scope="session")
def test_table(kang: Path) -> OrientationTable:
    return read_table(kang / "ans_gemma_test_formal.csv")
