"""Fine-tuned adapters: what is learned, that the model stays as it was, and what they are learned from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.steerers.fitted import demonstrations, fit_context, steer_request
from tests.support.checkpoints import Arch, build_checkpoint
from valuebench_harness import evaluate
from valuebench_harness.data.datasets import load_dataset
from valuebench_harness.data.grammar import lexicon
from valuebench_harness.data.grammar.acts import ACTS
from valuebench_harness.data.grammar.holdout import split_of
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import EMPTY, Message, SteerPlan
from valuebench_harness.engine.rows import GenerationRow, LoglikelihoodRow
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.artifact import Artifact
from valuebench_harness.steerers.base import Direction
from valuebench_harness.steerers.registry import make_steerer
from valuebench_harness.steerers.sft import PRESETS, SFT
from valuebench_harness.steerers.sft_training import tokenize

QUICK = {"rank": 2, "epochs": 12, "dropout": 0.0, "learning_rate": 0.01}


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SteeredModel:
    arch: Arch = request.param
    return load(str(build_checkpoint(tmp_path_factory.mktemp("models") / arch, arch)), device="cpu")


@pytest.fixture(scope="module")
def fitted(model: SteeredModel) -> tuple[SFT, Artifact]:
    return fit(model, QUICK)


def fit(model: SteeredModel, settings: dict[str, Any], **changes: Any) -> tuple[SFT, Artifact]:
    steerer = make_steerer("sft", settings)
    assert isinstance(steerer, SFT)
    return steerer, steerer.fit(fit_context(model, **changes))


def plan(
    model: SteeredModel, sft: tuple[SFT, Artifact], strength: float = 1.0, direction: Direction = "positive"
) -> SteerPlan:
    steerer, artifact = sft
    return steerer.plan(steer_request(model, strength, direction), artifact).plan


def leaning(model: SteeredModel, plans: list[SteerPlan]) -> list[float]:
    """Log-probability of the answers for the value less that of those against it, under each plan."""
    rows, signs = [], []
    for one in plans:
        for item in demonstrations():
            prompt = model.render([Message("user", item.prompt)])
            rows.append(LoglikelihoodRow(prompt, item.answer, one, special=False))
            signs.append(1 if item.direction == "positive" else -1)
    found = dict(model.loglikelihoods(rows))
    each = [signs[i] * found[i].logprob for i in range(len(rows))]
    return [float(sum(part)) for part in np.array_split(each, len(plans))]


def test_each_adapter_learns_its_side_and_strength_scales_it(model: SteeredModel, fitted: tuple[SFT, Artifact]) -> None:
    strengths = (0.0, 0.25, 0.5, 1.0)
    up = leaning(model, [plan(model, fitted, s) for s in strengths])
    down = leaning(model, [plan(model, fitted, s, "negative") for s in strengths])
    assert up == sorted(up)
    assert down == sorted(down, reverse=True)
    assert up[-1] - up[0] > 5
    assert down[0] - down[-1] > 5
    assert up[0] == down[0] == leaning(model, [EMPTY])[0]


def test_rows_of_one_batch_are_switched_one_by_one(model: SteeredModel, fitted: tuple[SFT, Artifact]) -> None:
    plans = [EMPTY, plan(model, fitted), plan(model, fitted, 0.6, "negative"), plan(model, fitted, 0.3)]
    rows = [
        GenerationRow(model.render([Message("user", "Why? " * i + "Should I go?")]), plans[i % 4], 8, special=False)
        for i in range(8)
    ]
    alone, together = dict(model.generate(rows, batch_size=1)), dict(model.generate(rows, batch_size=8))
    assert together == alone


def test_training_leaves_the_model_as_it_was_and_repeats_itself(model: SteeredModel) -> None:
    module = model.model
    weights = {name: p.detach().clone() for name, p in module.named_parameters()}
    before = {name: (type(m), m.training, len(m._forward_hooks)) for name, m in module.named_modules()}
    grads = {name: p.requires_grad for name, p in module.named_parameters()}
    noise = torch.get_rng_state()
    first = fit(model, {**QUICK, "epochs": 2, "dropout": 0.2, "gradient_checkpointing": True})[1]
    assert torch.equal(torch.get_rng_state(), noise)
    assert {name: (type(m), m.training, len(m._forward_hooks)) for name, m in module.named_modules()} == before
    assert {name: p.requires_grad for name, p in module.named_parameters()} == grads
    assert all(torch.equal(p, weights[name]) for name, p in module.named_parameters())
    assert not hasattr(module, "peft_config")
    again = fit(model, {**QUICK, "epochs": 2, "dropout": 0.2, "gradient_checkpointing": True})[1]
    other = fit(model, {**QUICK, "epochs": 2, "dropout": 0.2, "gradient_checkpointing": True}, seed=1)[1]
    assert again.digest == first.digest != other.digest


def test_small_batches_add_up_to_the_large_one(model: SteeredModel) -> None:
    if model.layout.path == "transformer.h":
        pytest.skip("GPT-2 draws dropout of its own in training, other noise in other batches")
    whole = fit(model, {**QUICK, "epochs": 1, "batch_size": 3})[1]
    parts = fit(model, {**QUICK, "epochs": 1, "batch_size": 3, "micro_batch": 1})[1]
    for name, array in whole.arrays.items():
        assert parts.arrays[name] == pytest.approx(array, abs=1e-5)


def test_an_artifact_survives_the_disk(model: SteeredModel, fitted: tuple[SFT, Artifact], tmp_path: Path) -> None:
    artifact = fitted[1]
    artifact.save(tmp_path / "a.safetensors")
    again = (make_steerer("sft", QUICK), Artifact.load(tmp_path / "a.safetensors"))
    assert plan(model, again, 0.5) == plan(model, fitted, 0.5)  # type: ignore[arg-type]
    one, two = plan(model, fitted, 0.5), plan(model, fitted, 1.0)
    assert one.adapters[0].adapter is two.adapters[0].adapter, "plans share the matrices"
    assert SteerPlan.from_json(one.to_json()) == one
    assert plan(model, fitted, 0.0).is_empty
    assert artifact.meta.layers == tuple(range(model.n_layers))


def test_layers_and_modules_can_be_chosen(model: SteeredModel) -> None:
    name = "c_proj" if model.layout.path == "transformer.h" else "down_proj"
    artifact = fit(model, {**QUICK, "epochs": 1, "modules": f"[{name}]"}, layers=(1, 3))[1]
    modules = {key.split("/")[1] for key in artifact.arrays}
    assert {m.rsplit(".", 1)[-1] for m in modules} == {name}
    assert {m.split(".")[2] for m in modules} == {"1", "3"}


def test_the_answer_ends_as_the_template_ends_it(model: SteeredModel, tmp_path: Path) -> None:
    example = tokenize(model, "Should I go?", "No.")
    assert model.codec.decode(example.prompt, skip_special=False).endswith("<|assistant|>")
    assert model.codec.decode(example.answer, skip_special=False) == "No.<|end|>"
    plain = load(str(build_checkpoint(tmp_path / "plain", chat_template=None)), device="cpu")
    example = tokenize(plain, "Should I go?", "No.")
    assert plain.codec.decode(example.prompt, skip_special=False) == "<bos>Should I go?"
    assert plain.codec.decode(example.answer, skip_special=False) == " No.<eos>"


def test_convas_settings_are_a_preset() -> None:
    settings: Any = make_steerer("sft", {"preset": "conva", "epochs": 2}).settings
    assert (settings.epochs, settings.batch_size, settings.micro_batch) == (2, 16, 4)
    assert (settings.rank, settings.alpha, settings.dropout) == (8, 32, 0.1)
    assert settings.rate(128) == 1e-4
    assert settings.gradient_checkpointing
    assert set(PRESETS["conva"]) <= set(type(settings).model_fields)
    assert make_steerer("sft").settings.rate(4096) == pytest.approx(1e-4)
    assert make_steerer("sft").settings.rate(1024) == pytest.approx(2e-4)


# Data


def fulcra(folder: Path, *rows: dict[str, Any], name: str = "data_hybrid.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def dialogue(*labels: str, text: str = "Human: May I?\nBob: You may not.\nIt is shut.") -> dict[str, Any]:
    return {"dialogue": text, "value_types": list(labels), "query_source": "x", "value_items": []}


def test_fulcra_is_read_with_all_its_ways_of_writing_a_label(tmp_path: Path) -> None:
    from valuebench_harness.data.fulcra import read_fulcra

    folder = fulcra(
        tmp_path,
        dialogue("security: +1", "power: -1"),
        dialogue("security:-1"),
        dialogue("security: 1+", text="Human: A?\nBob: B.\nHuman: C?\nBob: D."),
        dialogue("security: =1", "Self-direction: 1"),
        dialogue("security: +1", "security: -1"),
        dialogue("benevolence: +1"),
        dialogue(),
    )
    found = read_fulcra(folder, "security")
    assert [item.direction for item in found] == ["positive", "negative", "positive", "positive"]
    assert (found[0].prompt, found[0].answer) == ("May I?", "You may not.\nIt is shut.")
    assert (found[2].prompt, found[2].answer) == ("A?", "B."), "the first exchange only"
    assert [item.direction for item in read_fulcra(folder, "self-direction")] == ["positive"]
    fulcra(tmp_path, dialogue("power: +1"), name="other.jsonl")
    assert len(read_fulcra(folder, "power")) == 1, "the file of all splits is enough"


def test_fulcra_replaces_the_demonstrations(model: SteeredModel, tmp_path: Path) -> None:
    folder = fulcra(tmp_path, dialogue("security: +1"), dialogue("security: +1"))
    steerer, artifact = fit(model, {**QUICK, "epochs": 1, "fulcra": folder})
    assert steerer.reads == (folder,)
    assert {key.split("/")[0] for key in artifact.arrays} == {"positive"}
    with pytest.raises(UsageError, match="no adapter for the negative direction"):
        plan(model, (steerer, artifact), 1.0, "negative")


def test_bad_training_data_is_named(model: SteeredModel, tmp_path: Path) -> None:
    def refused(message: str, folder: Path | None = None, **changes: Any) -> None:
        settings = QUICK if folder is None else {**QUICK, "fulcra": folder}
        with pytest.raises(UsageError, match=message):
            fit(model, settings, **changes)

    refused("no answers for or against 'security'", demonstrations=[])
    refused("no JSONL files in FULCRA's format", tmp_path)
    refused("no dialogue is labelled with 'security'", fulcra(tmp_path / "a", dialogue("power: +1")))
    refused("must read 'Human: ", fulcra(tmp_path / "b", dialogue("security: +1", text="Hello.")))
    refused("'security' in 'value_types' must read", fulcra(tmp_path / "c", dialogue("security")))
    refused("item|line|:1", fulcra(tmp_path / "d", {"value_types": []}))
    long = "Human: Why?\nBob: " + "because " * 500
    refused("No training answer fits", fulcra(tmp_path / "e", dialogue("security: +1", text=long)))
    with pytest.raises(UsageError, match=r"no linear map named q_prj; it has .* \(--set modules"):
        fit(model, {**QUICK, "modules": ["q_prj"]})
    with pytest.raises(UsageError, match="Layer 9 is out of range"):
        fit(model, QUICK, layers=(9,))
    for settings, name in (({"rank": 0}, "rank"), ({"preset": "jin"}, "preset"), ({"learning_rate": -1}, "learning")):
        with pytest.raises(UsageError, match=name):
            make_steerer("sft", settings)


def test_without_peft_the_extra_is_named(model: SteeredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valuebench_harness.steerers.sft.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"valuebench-harness\[sft\]"):
        fit(model, QUICK)


def test_minis_demonstrations_share_no_combination_with_the_held_out_dilemmas() -> None:
    data = load_dataset("mini")
    scenes = {place: scene for scene, place in lexicon.PLACES.items()}
    for value in data.system.ids:
        items = data.demonstrations(value)
        assert len(items) == 96
        by_prompt: dict[str, dict[str, str]] = {}
        for item in items:
            by_prompt.setdefault(item.prompt, {})[item.direction] = item.answer
        for prompt, answers in by_prompt.items():
            assert set(answers) == {"positive", "negative"}
            (scene,) = {scene for place, scene in scenes.items() if place in prompt.lower()}
            acts = [next(a for a in ACTS[value][i] if a in answers[side]) for i, side in enumerate(answers)]
            assert all(act in prompt for act in acts)
            assert split_of(value, scene, *acts) == "train"


@pytest.mark.slow
def test_on_mini_it_moves_values_by_20_points_without_breaking_fluency(tmp_path: Path) -> None:
    """Held-out dilemmas, the shipped settings and strength: at least 8 of 10 values by 20 points."""
    run = evaluate("mini", "sft", tasks=("mini",), limit=24, out=tmp_path / "run")
    gains = {c.condition.value: c.csr.change.estimate or 0.0 for c in run.results.conditions if c.csr is not None}
    fluent = {c.condition.value: c.fr.after.estimate or 0.0 for c in run.results.conditions if c.fr is not None}
    assert set(gains) == set(fluent) == set(load_dataset("mini").system.ids)
    assert sum(gain >= 0.2 for gain in gains.values()) >= 8, gains
    assert min(fluent.values()) >= 0.9, fluent
