"""The numbers behind a fit's report, against what is planted in the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.checkpoints import Arch, build_checkpoint
from valuebench_harness.data.values import Value, load_value_system
from valuebench_harness.engine.loading import load
from valuebench_harness.harness.fit_study.accuracy import layer_accuracy, size_ablation
from valuebench_harness.harness.fit_study.directions import cosine_maps, decoded, directions
from valuebench_harness.harness.fit_study.study import _groups, around_the_circle
from valuebench_harness.harness.fit_study.words import context_words
from valuebench_harness.steerers.artifact import Artifact, ArtifactMeta
from valuebench_harness.steerers.registry import make_steerer

VALUE = Value(id="power", name="Power")


def states(n: int, gap: float, seed: int = 0, width: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, width))  # the context of a pair
    shift = np.zeros(width)
    shift[0] = gap
    noise = 0.3 * rng.normal(size=(2, n, width))
    return (shared + shift + noise[0]).astype(np.float32), (shared - shift + noise[1]).astype(np.float32)


class TestAccuracy:
    def test_sides_far_apart_are_told_apart(self) -> None:
        found = layer_accuracy(*states(60, gap=5.0), seed=0)
        assert found.estimate == 1.0
        assert found.n == 120
        assert found.clusters == 60

    def test_a_text_never_helps_to_judge_its_twin(self) -> None:
        """With no gap both texts of a pair are alike, and a classifier that saw one would misplace the other."""
        found = [layer_accuracy(*states(60, gap=0.0, seed=seed), seed=0) for seed in range(8)]
        assert np.mean([f.estimate for f in found]) == pytest.approx(0.5, abs=0.08)
        assert sum(f.low <= 0.5 <= f.high for f in found if f.low is not None and f.high is not None) >= 6

    def test_more_pairs_tell_more(self) -> None:
        points = size_ablation(*states(200, gap=0.7, width=60), seed=0)
        assert [p.pairs for p in points] == [7, 14, 28, 56, 98, 140]
        estimates = [p.rate.estimate or 0.0 for p in points]
        assert estimates[-1] > estimates[0] + 0.05
        assert {p.rate.clusters for p in points} == {60}
        assert points[0].rate.n == 5 * points[-1].rate.n

    def test_two_pairs_are_enough_to_say_something(self) -> None:
        positive, negative = states(3, gap=5.0)
        assert layer_accuracy(positive, negative, seed=0).n == 6
        assert [p.pairs for p in size_ablation(positive, negative, seed=0)] == [2]


def test_words_of_one_side_and_of_both() -> None:
    positive = ["The village was safe.", "A safe village, a safe road!", "The lock on the road"]
    negative = ["The village was wild.", "Wild roads; a wild village"]
    found = context_words(positive, negative, top=3)
    assert found.positive == ("safe", "road")
    assert found.negative == ("wild", "roads")
    assert found.common == ("village",)


class TestDirections:
    def artifact(self, method: str, layers: tuple[int, ...], **arrays: np.ndarray) -> Artifact:
        meta = ArtifactMeta(
            method=method,
            value="power",
            model="m",
            fingerprint="f",
            n_layers=4,
            width=8,
            layers=layers,
            data_hash="",
        )
        return Artifact(meta, {k: v.astype(np.float32) for k, v in arrays.items()})

    def test_every_layer_of_which_there_is_a_vector(self) -> None:
        w = np.random.default_rng(0).normal(size=(4, 8))
        artifact = self.artifact("conva", (1, 2), w=w, b=np.zeros(4))
        found = directions(make_steerer("conva"), artifact, VALUE)
        assert list(found) == [0, 1, 2, 3]
        np.testing.assert_allclose(found[2], w[2] / np.linalg.norm(w[2]), rtol=1e-5)

    def test_a_layer_without_a_vector_has_no_direction(self) -> None:
        vectors = np.zeros((4, 8))
        vectors[1, 3] = -2.0
        found = directions(make_steerer("caa"), self.artifact("caa", (1,), vectors=vectors), VALUE)
        assert list(found) == [1]
        assert found[1].tolist() == [0, 0, 0, -1, 0, 0, 0, 0]

    def test_cosines(self) -> None:
        rng = np.random.default_rng(1)
        vectors = rng.normal(size=(3, 4, 8))
        units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
        maps = cosine_maps([dict(enumerate(v)) for v in units], [(1,), (1, 2), ()])
        assert [m.steered_by for m in maps] == [0, 2, 1, 0]
        expected = [[float(np.dot(a, b)) for b in units[:, 2]] for a in units[:, 2]]
        np.testing.assert_allclose(maps[2].cosines, expected, atol=1e-12)
        assert cosine_maps([{0: units[0, 0]}], [(0,)]) == ()

    @pytest.mark.parametrize("arch", ["llama", "gpt2", "gemma2"])
    def test_a_row_of_the_unembedding_decodes_to_its_token(self, tmp_path: Path, arch: Arch) -> None:
        model = load(str(build_checkpoint(tmp_path / arch, arch)), device="cpu")
        head = model.model.get_output_embeddings()  # type: ignore[no-untyped-call]
        assert isinstance(head, torch.nn.Linear)
        rows = head.weight.detach().numpy().astype(np.float64)
        # The token whose row is longest: along it, its own logit is the largest.
        token = int(np.argmax(np.linalg.norm(rows, axis=1)))
        found = decoded(model, {1: rows[token] / np.linalg.norm(rows[token])})
        assert found is not None
        assert found.layer == 1
        assert found.towards[0] == model.codec.decode([token], skip_special=False)
        assert len(found.towards) == len(found.away) == 10
        assert decoded(model, {}) is None


class TestOrder:
    def test_groups_stand_together(self) -> None:
        values = list(load_value_system("schwartz").values)
        turned = around_the_circle(values)
        assert {v.id for v in turned} == {v.id for v in values}
        assert {name for name, _, _ in _groups(turned)} == {g for v in values for g in v.groups}

    def test_a_system_without_a_circle_stays_as_it_is(self) -> None:
        values = [Value(id="b", name="B"), Value(id="a", name="A")]
        assert around_the_circle(values) == values
        assert _groups(values) == ()
