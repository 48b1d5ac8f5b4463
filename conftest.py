"""Settings of the whole suite: an own home for caches, one thread a worker, no hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Before anything imports torch or a hub client: tests share two cores, and no test may reach the network.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

pytest_plugins = ["pytester"]

# A deadline is a timing assertion: a busy machine would fail it. CI draws the same examples each time.
settings.register_profile("vharness", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("vharness")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in a browser come last: Playwright leaves its event loop running, in whose thread no other can start."""
    items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))


@pytest.fixture(autouse=True, scope="session")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Caches and artifacts of the tests never meet the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VHARNESS_HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def real_data() -> Path:
    """The folder with ValueBench and MMLU; the test is skipped where ``VHARNESS_DATA_DIR`` names none."""
    folder = os.environ.get("VHARNESS_DATA_DIR")
    if not folder or not (Path(folder) / "valuebench").is_dir():
        pytest.skip("VHARNESS_DATA_DIR names no folder with the real data sets")
    return Path(folder)
