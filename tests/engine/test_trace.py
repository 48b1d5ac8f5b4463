"""Which tokens an answer says were steered."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.checkpoints import build_checkpoint
from tests.support.plans import PHRASE, add, logit_p0, prompts, vector
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, ScopeKind, TokenScope
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.engine.rows import Generation, GenerationRow, Moved, TextRow

TEXT = prompts(3)[2]
NOTHING = Moved(0, (), ())


def one(model: SteeredModel, *interventions: Intervention, prompt: str = TEXT, new: int = 12) -> Generation:
    return next(iter(model.generate([GenerationRow(prompt, SteerPlan(interventions), max_new_tokens=new)])))[1]


def token_ends(model: SteeredModel, ids: list[int]) -> list[int]:
    """Characters up to the end of each token, each decoded by itself; the tests' prompts are ASCII."""
    lengths = [len(model.tokenizer.decode([i], skip_special_tokens=True)) for i in ids]
    return [int(n) for n in np.cumsum(lengths)]


def covered(model: SteeredModel, ids: list[int], moved: NDArray[np.bool_]) -> set[int]:
    """Characters of some tokens."""
    ends = token_ends(model, ids)
    return {c for i in np.flatnonzero(moved) for c in range(ends[i - 1] if i else 0, ends[i])}


def marked(moved: Moved | None) -> set[int]:
    assert moved is not None
    assert moved.spans is not None
    assert all(a < b for a, b in moved.spans)
    assert all(first[1] < second[0] for first, second in pairwise(moved.spans))
    return {c for a, b in moved.spans for c in range(a, b)}


@pytest.mark.parametrize(
    ("kind", "in_prompt", "in_answer"),
    [("all", True, True), ("prompt", True, False), ("generated", False, True)],
)
def test_a_scope_is_marked_where_it_is(model: SteeredModel, kind: ScopeKind, in_prompt: bool, in_answer: bool) -> None:
    found = one(model, add(model, 1, scope=TokenScope(kind)))
    n, new = found.n_prompt_tokens, len(found.token_ids) - 1
    prompt = Moved(n, ((1, n),), ((0, len(TEXT)),))
    read = model.codec.decode(found.token_ids[:-1])
    spans = ((0, len(read)),) if read else ()
    assert found.moved_prompt == (prompt if in_prompt else NOTHING)
    assert found.moved_answer == (Moved(new, ((1, new),), spans) if in_answer and new else NOTHING)


def test_a_phrase_and_the_last_token_are_marked_by_themselves(model: SteeredModel) -> None:
    ids = model.token_ids(TEXT, special=True)
    phrase = one(model, add(model, 1, scope=TokenScope("phrase", PHRASE))).moved_prompt
    start = TEXT.index(PHRASE)
    assert marked(phrase) >= set(range(start, start + len(PHRASE)))
    assert phrase is not None
    assert phrase.tokens < len(ids) / 2
    last = one(model, add(model, 2, scope=TokenScope("last-prompt"))).moved_prompt
    end = token_ends(model, ids)
    assert last == Moved(1, ((2, 1),), ((end[-2], end[-1]),))


def test_of_a_minimal_shift_only_tokens_below_its_target_are_marked(model: SteeredModel) -> None:
    """The tokens that lie below P0 are found in the unsteered states, by numpy."""
    ids = model.token_ids(TEXT, special=True)
    (states,) = model.capture([TextRow(TEXT)], [1], reduce="none")
    w, target = vector(model.width, 5), logit_p0(3.0)
    logits = states[:, 0].astype(np.float64) @ w
    b = float(target - np.median(logits))
    params = {"w": FrozenArray(w), "b": b, "logit_p0": target, "sign": 1.0}
    below = logits + b < target - 1e-4
    found = one(model, Intervention("minimal-shift", 1, params)).moved_prompt
    assert found is not None
    # The median token itself lies on the target, where rounding decides.
    assert 0 < below.sum() <= found.tokens <= below.sum() + 1 < len(ids)
    assert covered(model, ids, below) <= marked(found)
    assert not covered(model, ids, logits + b > target + 1e-4) & marked(found)


def test_two_layers_are_counted_apart_and_rows_without_interventions_not_at_all(model: SteeredModel) -> None:
    plan = SteerPlan((add(model, 0, scope=TokenScope("last-prompt")), add(model, 2), add(model, 2, site="mlp")))
    rows = [GenerationRow(TEXT, EMPTY), GenerationRow(TEXT, plan), GenerationRow("Yes", plan, max_new_tokens=1)]
    found = dict(model.generate(rows))
    assert (found[0].moved_prompt, found[0].moved_answer) == (None, None)
    n = found[1].n_prompt_tokens
    assert found[1].moved_prompt == Moved(n, ((0, 1), (2, n)), ((0, len(TEXT)),))
    # The only token of an answer is read by nobody, though the other rows go on.
    assert found[2].moved_answer == NOTHING


def test_without_a_cache_the_same_tokens_are_marked(llama: SteeredModel) -> None:
    plan = (add(llama, 1, scope=TokenScope("generated")), add(llama, 2, scope=TokenScope("phrase", PHRASE)))
    cached = one(llama, *plan)
    llama.use_cache = False
    try:
        assert one(llama, *plan) == cached
    finally:
        llama.use_cache = True


def test_of_a_prompt_that_lost_its_beginning_the_rest_is_marked(tmp_path: Path) -> None:
    model = load(str(build_checkpoint(tmp_path / "m", length=32)), device="cpu")
    text = "word " * 199 + "end"
    found = one(model, add(model, 1), prompt=text, new=12).moved_prompt
    ends = token_ends(model, model.token_ids(text, special=True))
    assert found == Moved(20, ((1, 20),), ((ends[-21], len(text)),))


def test_a_tokenizer_that_does_not_tell_places_leaves_none(
    llama: SteeredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(llama.tokenizer), "is_fast", False)
    found = one(llama, add(llama, 1)).moved_prompt
    assert found == Moved(len(llama.token_ids(TEXT, special=True)), ((1, found.tokens if found else 0),), None)
