"""The shipped checkpoint: a plain Hugging Face folder that answers in its grammar and steers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from valuebench_harness.data.datasets import load_dataset
from valuebench_harness.data.grammar.acts import VALUES
from valuebench_harness.data.grammar.generate import instruction
from valuebench_harness.engine.loading import load
from valuebench_harness.mini import measure_planted, weights_path
from valuebench_harness.mini.bench import Bench, always


@pytest.fixture(scope="module")
def bench() -> Bench:
    torch.set_num_threads(1)
    return Bench(load(str(weights_path())))


def test_the_folder_is_small_and_safetensors_only() -> None:
    files = list(weights_path().iterdir())
    assert sum(file.stat().st_size for file in files) < 10e6
    assert {f.suffix for f in files} <= {".safetensors", ".json", ".jinja"}


def test_it_loads_as_any_checkpoint_does() -> None:
    model = AutoModelForCausalLM.from_pretrained(weights_path())
    tokenizer = AutoTokenizer.from_pretrained(weights_path())
    assert model.config.model_type == "llama"
    assert 1e6 < model.num_parameters() < 3e6
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "hi"}], tokenize=False, add_generation_prompt=True
    )
    assert text == "<|bos|><|user|>hi<|end|><|assistant|>"
    assert tokenizer("hi").input_ids[0] == tokenizer.bos_token_id
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id


def test_planted_directions_are_described_in_the_file() -> None:
    with safe_open(weights_path() / "planted.safetensors", framework="numpy") as file:
        metadata, directions = file.metadata(), file.get_tensor("directions")
    assert json.loads(metadata["values"]) == list(VALUES)
    assert directions.shape[0] == len(VALUES)
    np.testing.assert_allclose(directions @ directions.T, np.eye(len(VALUES)), atol=1e-5)
    assert float(metadata["scale"]) > 0
    assert 0 <= int(metadata["block"]) < 5


def test_the_card_is_about_these_weights(bench: Bench) -> None:
    folder = Path(measure_planted.__file__).parent
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["model"] == bench.model.fingerprint
    text = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert all(figure["result"] in text for figure in card["figures"].values())


def test_it_answers_in_its_grammar_and_follows_instructions_and_directions(bench: Bench) -> None:
    data = load_dataset("mini")
    dilemmas = [d for v in VALUES for d in data.dilemmas(v)[:6]]
    base = bench.ask(dilemmas, temperature=0)
    assert np.mean(base.valid) >= 0.95
    for side, direction in ((1, "positive"), (-1, "negative")):
        systems = [instruction(d.value, direction, seed) for seed, d in enumerate(dilemmas)]  # type: ignore[arg-type]
        told = np.mean(bench.ask(dilemmas, systems=systems, temperature=0).favours)
        pushed = np.mean(
            [
                x
                for v in VALUES
                for x in bench.ask(
                    [d for d in dilemmas if d.value == v],
                    always(measure_planted.planted_plan(v, 2.5 * side)),
                    temperature=0,
                ).favours
            ]
        )
        for rate in (told, pushed):
            assert (rate > 0.8) if side > 0 else (rate < 0.2)


def test_it_knows_its_exam_in_both_formats(bench: Bench) -> None:
    items = load_dataset("mini").exam()[:40]
    assert np.mean(bench.exam(items)) >= 0.95
    assert np.mean(bench.exam(items, chat=False)) >= 0.95


def test_choice_probabilities_agree_with_sampled_answers(bench: Bench) -> None:
    dilemmas = [d for v in VALUES for d in load_dataset("mini").dilemmas(v)[:10]]
    exact = bench.choice_probabilities(dilemmas, always(measure_planted.planted_plan("security", 0.0)))
    sampled = np.mean(bench.ask(dilemmas).favours)
    assert exact.mean() == pytest.approx(sampled, abs=0.15)
