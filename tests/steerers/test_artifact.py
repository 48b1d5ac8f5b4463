"""Artifacts on disk: round trips, foreign files, other models."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.steerers.states import context
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.steerers.artifact import Artifact, texts_hash
from valuebench_harness.steerers.registry import make_steerer


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    fitted = make_steerer("conva").fit(context(gap=8.0))
    assert fitted is not None
    return fitted


def test_round_trip(artifact: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "conva.safetensors"
    artifact.save(path)
    back = Artifact.load(path)
    assert back.meta == artifact.meta
    assert back.digest == artifact.digest
    assert back.arrays.keys() == {"w", "b"}
    for name, array in artifact.arrays.items():
        assert back.arrays[name].dtype == np.float32
        assert np.array_equal(back.arrays[name], array)
    assert [p.name for p in path.parent.iterdir()] == ["conva.safetensors"]
    assert load_file(path).keys() == {"w", "b"}, "any safetensors reader can open it"


def test_digest_changes_with_what_matters(artifact: Artifact) -> None:
    arrays = {k: v.copy() for k, v in artifact.arrays.items()}
    arrays["w"][0, 0] += 1e-3
    changed = [
        Artifact(artifact.meta, arrays),
        Artifact(artifact.meta.model_copy(update={"layers": (0,)}), artifact.arrays),
        Artifact(artifact.meta.model_copy(update={"fingerprint": "0" * 64}), artifact.arrays),
    ]
    assert len({artifact.digest, *(a.digest for a in changed)}) == 4
    for same in ({"seconds": 99.0}, {"model": "another name"}):
        assert Artifact(artifact.meta.model_copy(update=same), artifact.arrays).digest == artifact.digest


def test_rows_become_parameters_once(artifact: Artifact) -> None:
    assert artifact.frozen("w", 2) is artifact.frozen("w", 2)
    assert np.array_equal(artifact.frozen("w", 2).array, artifact.arrays["w"][2])
    assert artifact.frozen("w", 2) != artifact.frozen("w", 3)


def test_another_model_is_named_with_both_sides(artifact: Artifact) -> None:
    own: dict[str, Any] = {"name": "tiny", "fingerprint": "f" * 64, "n_layers": 8, "width": 12}
    artifact.check_model(**own)
    with pytest.raises(UsageError, match=r"on tiny \(8 layers, width 12\), but big has 32 layers, width 4096"):
        artifact.check_model(**{**own, "name": "big", "n_layers": 32, "width": 4096})
    with pytest.raises(
        UsageError, match=r"'conva' artifact for security .*other weights \(f{12}\).*those of twin \(0{12}\)"
    ):
        artifact.check_model(**{**own, "name": "twin", "fingerprint": "0" * 64})


class Evil:
    """Unpickling runs code; loading must not unpickle."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('pickle was loaded')",)


def test_files_that_are_no_artifacts(artifact: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(UsageError, match=r"No artifact at .*vharness fit"):
        Artifact.load(path)
    with pytest.raises(UsageError, match="No artifact"):
        Artifact.load(tmp_path)
    save_file({"weight": np.zeros(3, dtype=np.float32)}, path)
    with pytest.raises(UsageError, match="is a safetensors file but no vharness artifact"):
        Artifact.load(path)
    save_file({"weight": np.zeros(3, dtype=np.float32)}, path, metadata={"format": "pt"})
    with pytest.raises(UsageError, match="no vharness artifact"):
        Artifact.load(path)
    for meta in ({}, {"meta": "{"}, {"meta": '{"method": "caa"}'}):
        save_file({"w": np.zeros(3, dtype=np.float32)}, path, metadata={"format": "vharness-artifact-1", **meta})
        with pytest.raises(UsageError, match="cannot be read as an artifact"):
            Artifact.load(path)
    artifact.save(path)
    whole = path.read_bytes()
    for data in (b"", b"hello", whole[:100], whole[:-40], pickle.dumps(Evil()), b"\xff" * 64):
        path.write_bytes(data)
        with pytest.raises(UsageError, match=r"x\.safetensors cannot be read"):
            Artifact.load(path)


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from valuebench_harness.errors import IncompleteError
from valuebench_harness.steerers.artifact import Artifact
path = Path(sys.argv[1])
artifact = Artifact.load(path)
artifact.arrays["w"] = np.zeros((1000, 1000), dtype=np.float32)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    artifact.save(path)
except IncompleteError as error:
    print(error)
"""


def test_a_full_disk_keeps_the_old_artifact(artifact: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "conva.safetensors"
    artifact.save(path)
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)
    assert "cannot be written" in done.stdout
    assert Artifact.load(path).digest == artifact.digest
    assert [p.name for p in tmp_path.iterdir()] == ["conva.safetensors"]


def test_a_folder_that_cannot_be_written_is_named(artifact: Artifact, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(IncompleteError, match="cannot be written"):
        artifact.save(tmp_path / "file" / "conva.safetensors")


def test_the_hash_of_texts_knows_their_order_and_groups() -> None:
    hashes = {texts_hash(["a", "b"]), texts_hash(["b", "a"]), texts_hash(["a"], ["b"]), texts_hash(["ab"])}
    assert len(hashes) == 4
