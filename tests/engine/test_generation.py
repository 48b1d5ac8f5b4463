"""What a generated row says, and when it ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.checkpoints import build_checkpoint
from tests.support.plans import add, prompts
from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.rows import Generation, GenerationRow, Moved
from valuebench_harness.engine.sampling import RowSampler
from valuebench_harness.errors import UsageError

TEXT = prompts(5)[4]


def one(model: SteeredModel, **settings: Any) -> Generation:
    return next(iter(model.generate([GenerationRow(TEXT, **settings)])))[1]


def test_greedy_equals_transformers(model: SteeredModel) -> None:
    ids = torch.tensor([model.token_ids(TEXT, special=True)])
    generate: Any = model.model.generate
    out = generate(ids, max_new_tokens=20, do_sample=False)[0, ids.shape[1] :].tolist()
    result = one(model, max_new_tokens=20)
    assert list(result.token_ids) == out
    assert result.n_prompt_tokens == ids.shape[1]
    assert result.text == model.tokenizer.decode(out, skip_special_tokens=True)


def test_a_stop_string_ends_the_text_and_the_decoding(llama: SteeredModel) -> None:
    whole = one(llama, max_new_tokens=40)
    for length in (1, 2, 5):
        start = len(whole.text) // 3
        stop = whole.text[start : start + length]
        result = one(llama, max_new_tokens=40, stop=("not in there", stop))
        assert result.finish == "stop"
        assert result.text == whole.text[: whole.text.index(stop)]
        n = len(result.token_ids)
        assert result.token_ids == whole.token_ids[:n]
        assert stop in llama.codec.decode(result.token_ids, skip_special=False)
        assert stop not in llama.codec.decode(result.token_ids[:-1], skip_special=False)


def test_rows_of_a_batch_end_on_their_own(llama: SteeredModel) -> None:
    whole = one(llama, max_new_tokens=30)
    eos_like = whole.token_ids[6]
    first = whole.token_ids.index(eos_like)
    rows = [GenerationRow(TEXT, max_new_tokens=n) for n in (1, 4, 30)] + [GenerationRow(TEXT, stop=(whole.text[3:6],))]
    found = dict(llama.generate(rows))
    assert [len(found[i].token_ids) for i in range(3)] == [1, 4, 30]
    assert [found[i].finish for i in range(4)] == ["length", "length", "length", "stop"]
    before = llama.codec.eos_ids
    llama.codec.eos_ids = (*before, eos_like)
    try:
        found = dict(llama.generate(rows[2:3]))
    finally:
        llama.codec.eos_ids = before
    assert found[0].finish == "eos"
    assert found[0].token_ids == whole.token_ids[: first + 1]


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1.0, 0, 1.0), (0.5, 0, 1.0), (2.0, 3, 1.0), (1.0, 0, 0.7), (1.5, 4, 0.8)]
)
def test_samples_follow_the_truncated_distribution(temperature: float, top_k: int, top_p: float) -> None:
    """Frequencies of 20,000 seeds against the distribution written out in numpy."""
    logits = np.array([2.0, 1.5, 1.0, 0.2, -0.3, -1.0])
    p = np.exp(logits / temperature)
    p /= p.sum()
    if top_k:
        p[top_k:] = 0
        p /= p.sum()
    kept = np.cumsum(p) - p < top_p
    p = np.where(kept, p, 0)
    p /= p.sum()
    n = 20_000
    rows = [GenerationRow("", temperature=temperature, top_k=top_k, top_p=top_p, seed=seed) for seed in range(n)]
    order = np.array([3, 0, 5, 1, 4, 2])
    scores = torch.from_numpy(logits[order]).float().expand(n, -1)
    chosen = RowSampler(rows)(torch.zeros(n, 1), scores).argmax(dim=-1).numpy()
    seen = np.bincount(order[chosen], minlength=6) / n
    assert (seen[p == 0] == 0).all()
    # Five standard errors of a proportion.
    assert (np.abs(seen - p) <= 5 * np.sqrt(p * (1 - p) / n)).all()


def test_steps_and_seeds_draw_anew(llama: SteeredModel) -> None:
    samples = {one(llama, temperature=3.0, seed=seed).token_ids for seed in range(6)}
    assert len(samples) == 6
    assert all(len(set(sample)) > len(sample) // 3 for sample in samples)
    assert one(llama, temperature=3.0, seed=2) == one(llama, temperature=3.0, seed=2)


def test_sampling_defaults_of_a_checkpoint_do_not_reach_greedy_rows(llama: SteeredModel, tmp_path: Path) -> None:
    folder = build_checkpoint(tmp_path / "m")
    (folder / "generation_config.json").write_text(
        '{"do_sample": true, "temperature": 5.0, "repetition_penalty": 9.0, "eos_token_id": [2, 6], "max_length": 3}'
    )
    other = load(str(folder), device="cpu")
    assert other.codec.eos_ids == (2, 6)
    assert one(other, max_new_tokens=20).token_ids[:3] == one(llama, max_new_tokens=20).token_ids[:3]


def test_long_prompts_lose_their_beginning_with_a_note(tmp_path: Path) -> None:
    model = load(str(build_checkpoint(tmp_path / "m", "gpt2", length=32)), device="cpu")
    result = dict(model.generate([GenerationRow("word " * 200, max_new_tokens=12)]))[0]
    assert result.n_prompt_tokens == 20
    assert any("lost their beginning" in note for note in model.notes)
    with pytest.raises(UsageError, match="leave no room for a prompt"):
        list(model.generate([GenerationRow("word", max_new_tokens=32)]))


def test_a_phrase_that_is_missing_is_noted(tmp_path: Path) -> None:
    model = load(str(build_checkpoint(tmp_path / "m")), device="cpu")
    plan = SteerPlan((add(model, 1, scope=TokenScope("phrase", "nowhere")),))
    found = dict(model.generate([GenerationRow(TEXT), GenerationRow(TEXT, plan)]))
    nothing = Moved(0, (), ())
    assert found[1] == replace(found[0], moved_prompt=nothing, moved_answer=nothing)
    assert any("'nowhere' is not in every prompt" in note for note in model.notes)


def test_an_empty_prompt_is_the_prefix_token(model: SteeredModel) -> None:
    result = dict(model.generate([GenerationRow("", special=False, max_new_tokens=3)]))[0]
    assert result.n_prompt_tokens == 1
    assert 1 <= len(result.token_ids) <= 3


def test_progress_counts_every_row(llama: SteeredModel) -> None:
    done: list[int] = []
    list(llama.generate([GenerationRow(t, max_new_tokens=2) for t in prompts(10)], batch_size=4, progress=done.append))
    assert done == [4, 4, 2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"temperature": -1.0}, "temperature is -1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_p": 0.0}, "top_p is 0"),
        ({"top_k": -1}, "top_k is -1"),
        ({"stop": ("",)}, "stop string is empty"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        GenerationRow("x", **settings)
