"""What the idle pytest plugin adds to a project that does not use it: ``python benchmarks/pytest_plugin.py``.

Runs one empty test with and without the plugin, in turn, and prints the medians. A bare ``pytest -p no:vharness``
is the peer.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def _seconds(folder: Path, *options: str) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_one.py").write_text("def test_one():\n    pass\n", encoding="utf-8")
        _seconds(folder)
        pairs = [(_seconds(folder, "-p", "no:vharness"), _seconds(folder)) for _ in range(runs)]
    without, with_ = (statistics.median(side) for side in zip(*pairs, strict=True))
    added = statistics.median(b - a for a, b in pairs)
    print(
        f"without {1000 * without:.0f} ms, with {1000 * with_:.0f} ms, added {1000 * added:.1f} ms (medians of {runs})"
    )


if __name__ == "__main__":
    main()
