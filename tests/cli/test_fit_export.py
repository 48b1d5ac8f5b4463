"""``vharness fit --export``, and its files steering again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.cli.conftest import Command
from valuebench_harness.steerers.artifact import Artifact
from valuebench_harness.steerers.vectors import read_vectors

FIT = ("fit", "--values", "security", "--layers", "1,2", "--quiet", "-o", "fits")


def test_vectors_are_written_beside_the_artifact(vharness: Command, checkpoint: Path, own_folders: Path) -> None:
    done = vharness(*FIT, "-s", "caa", "-m", checkpoint, "--export", "gguf,safetensors,pt")
    assert done.code == 0, done.err
    artifact = Artifact.load(own_folders / "fits" / "caa-security.safetensors")
    for kind in ("gguf", "safetensors", "pt"):
        path = own_folders / "fits" / f"caa-security.vectors.{kind}"
        found = read_vectors(path)
        assert set(found) == {1, 2}
        for layer, vector in found.items():
            assert np.array_equal(vector, artifact.arrays["vectors"][layer])
        options = ("--set", "file=fits/caa-{value}.vectors." + kind, "--value", "security", "-m", checkpoint)
        answered = vharness("try", "Should I leave?", "-s", "vector", *options, "--strength", "2")
        assert answered.code == 0, answered.err
        assert "vector:security:+2" in answered.out


def test_what_cannot_be_exported_is_said(vharness: Command, checkpoint: Path, own_folders: Path) -> None:
    done = vharness(*FIT, "-s", "caa", "-m", checkpoint, "--export", "ggfu")
    assert (done.code, len(done.lines)) == (2, 1)
    assert "Did you mean 'gguf'" in done.err
    assert not (own_folders / "fits").exists()
    done = vharness(*FIT, "-s", "ablate", "-m", checkpoint, "--export", "pt")
    assert done.code == 2
    assert "'ablate' cannot be written as a file of vectors" in done.err


def test_vector_files_that_are_none(vharness: Command, checkpoint: Path, own_folders: Path) -> None:
    (own_folders / "x.gguf").write_bytes(b"no vectors here")
    ask = ("try", "Should I leave?", "-s", "vector", "--value", "security", "-m", checkpoint)
    for settings, words in (
        ((), "'vector' needs a file"),
        (("--set", "file=missing.pt"), "There is no file of vectors missing.pt"),
        (("--set", "file=x.gguf"), "x.gguf is no readable GGUF file"),
    ):
        done = vharness(*ask, *settings)
        assert done.code == 2
        assert words in done.err
