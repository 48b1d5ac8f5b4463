"""Features of sparse autoencoders: reading, choosing, steering; written by hand, sae-lens is not needed."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tests.steerers.fitted import fit_context, steer_request
from tests.support.checkpoints import Arch, build_checkpoint
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import EMPTY, Message
from valuebench_harness.engine.rows import GenerationRow, TextRow
from valuebench_harness.engine.steer import steer
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.artifact import Artifact
from valuebench_harness.steerers.registry import make_steerer
from valuebench_harness.steerers.sae import CARRIER, PHRASE
from valuebench_harness.steerers.sae_choice import by_effect, by_phrase
from valuebench_harness.steerers.sae_weights import read_sae

N_FEATURES, PLANTED, LAYER = 12, 7, 2


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SteeredModel:
    arch: Arch = request.param
    return load(str(build_checkpoint(tmp_path_factory.mktemp("models") / arch, arch)), device="cpu")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> SteeredModel:
    return load(str(build_checkpoint(tmp_path_factory.mktemp("models") / "llama")), device="cpu")


def phrase_states(model: SteeredModel, layer: int = LAYER) -> np.ndarray:
    row = TextRow(model.render([Message("user", CARRIER)]), special=False)
    return model.capture([row], [layer], TokenScope("phrase", PHRASE), reduce="none")[0][:, 0]


def write_sae(
    folder: Path, model: SteeredModel, *, hook: str = f"blocks.{LAYER}.hook_resid_post", **changes: Any
) -> Path:
    """An autoencoder whose feature PLANTED reads the states of the phrase; the others read nothing of them."""
    rng = np.random.default_rng(0)
    states = phrase_states(model)
    mean = states.mean(axis=0)
    encoder = rng.normal(size=(model.width, N_FEATURES)).astype(np.float32)
    encoder[:, PLANTED] = 3 * mean / np.linalg.norm(mean)
    arrays = {
        "W_enc": encoder,
        "b_enc": np.full(N_FEATURES, -0.1, dtype=np.float32),
        "W_dec": rng.normal(size=(N_FEATURES, model.width)).astype(np.float32),
        "b_dec": np.zeros(model.width, dtype=np.float32),
        **changes.pop("arrays", {}),
    }
    config = {
        "architecture": "standard",
        "d_in": model.width,
        "d_sae": N_FEATURES,
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "metadata": {"hook_name": hook, "model_name": Path(model.name).name},
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def fit(model: SteeredModel, settings: dict[str, Any], **changes: Any) -> tuple[Any, Artifact]:
    steerer = make_steerer("sae", settings)
    artifact = steerer.fit(fit_context(model, **changes))
    assert artifact is not None
    return steerer, artifact


def chosen(artifact: Artifact) -> Any:
    return artifact.meta.settings["chosen"]


# Reading


def test_activations_are_those_of_the_published_formulas(llama: SteeredModel, tmp_path: Path) -> None:
    """Standard, JumpReLU and gated, each computed as its paper writes it."""
    rng = np.random.default_rng(1)
    d, n = llama.width, N_FEATURES
    x = rng.normal(size=(9, d)).astype(np.float32)
    b_dec, r_mag, b_gate, b_mag, threshold = (
        rng.normal(size=size).astype(np.float32) * 0.3 for size in (d, n, n, n, n)
    )
    threshold = np.abs(threshold)

    folder = write_sae(tmp_path / "standard", llama, arrays={"b_dec": b_dec})
    sae = read_sae(folder)
    raw = {"W_enc": sae.encoder.T}
    pre = (x - b_dec) @ raw["W_enc"] - 0.1
    assert sae.activations(x) == pytest.approx(np.maximum(pre, 0), abs=1e-5)

    folder = write_sae(
        tmp_path / "jump", llama, architecture="jumprelu", arrays={"b_dec": b_dec, "threshold": threshold}
    )
    assert read_sae(folder).activations(x) == pytest.approx(np.where(pre > threshold, pre, 0), abs=1e-5)

    gated = {"b_dec": b_dec, "r_mag": r_mag, "b_gate": b_gate, "b_mag": b_mag}
    folder = write_sae(tmp_path / "gated", llama, architecture="gated", arrays=gated)
    gate = (x - b_dec) @ raw["W_enc"] + b_gate > 0
    magnitude = np.maximum((x - b_dec) @ (raw["W_enc"] * np.exp(r_mag)) + b_mag, 0)
    assert read_sae(folder).activations(x) == pytest.approx(gate * magnitude, abs=1e-4)

    folder = write_sae(tmp_path / "outer", llama, apply_b_dec_to_input=False, arrays={"b_dec": b_dec})
    assert read_sae(folder).activations(x) == pytest.approx(np.maximum(x @ raw["W_enc"] - 0.1, 0), abs=1e-5)


@pytest.mark.parametrize("how", ["expected_average_only_in", "constant_norm_rescale", "layer_norm"])
def test_states_are_normalised_as_in_training(llama: SteeredModel, tmp_path: Path, how: str) -> None:
    sae = read_sae(write_sae(tmp_path, llama, normalize_activations=how))
    rng = np.random.default_rng(2)
    x = (5 * rng.normal(size=(6, llama.width)) + 1).astype(np.float32)
    out = sae.normalise(x, x)
    root = np.sqrt(llama.width)
    if how == "expected_average_only_in":
        assert np.linalg.norm(out, axis=1).mean() == pytest.approx(root, rel=1e-5)
        assert out / out[0, 0] == pytest.approx(x / x[0, 0], rel=1e-4)
    elif how == "constant_norm_rescale":
        assert np.linalg.norm(out, axis=1) == pytest.approx(np.full(6, root), rel=1e-5)
    else:
        normal = torch.from_numpy(x) - torch.from_numpy(x).mean(dim=1, keepdim=True)
        assert out == pytest.approx((normal / (normal.std(dim=1, keepdim=True) + 1e-5)).numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("hook", "place"),
    [
        ("blocks.3.hook_resid_post", ("block", 3)),
        ("blocks.3.hook_resid_pre", ("input", 3)),
        ("blocks.3.hook_mlp_out", ("mlp", 3)),
        ("blocks.0.hook_attn_out", ("attention", 0)),
        ("blocks.1.attn.hook_z", ("heads", 1)),
        ("model.layers.4", ("block", 4)),
        ("transformer.h.4", ("block", 4)),
    ],
)
def test_where_an_autoencoder_reads(llama: SteeredModel, tmp_path: Path, hook: str, place: tuple[str, int]) -> None:
    assert read_sae(write_sae(tmp_path, llama, hook=hook)).place == place


def test_older_files_keep_the_hook_beside_the_settings(llama: SteeredModel, tmp_path: Path) -> None:
    folder = write_sae(tmp_path, llama)
    config = json.loads((folder / "cfg.json").read_text())
    config |= config.pop("metadata")
    (folder / "cfg.json").write_text(json.dumps(config))
    assert read_sae(folder).place == ("block", LAYER)


# Choosing


def test_the_phrase_finds_the_planted_feature(model: SteeredModel, tmp_path: Path) -> None:
    folder = write_sae(tmp_path, model)
    _, artifact = fit(model, {"path": folder, "select": "phrase"})
    assert chosen(artifact) == {"positive": [PLANTED], "negative": [PLANTED]}
    order = by_phrase(model, read_sae(folder), CARRIER, PHRASE, [])
    active = np.maximum(phrase_states(model) @ read_sae(folder).encoder.T - 0.1, 0).mean(axis=0)
    assert list(order) == [i for i in np.argsort(-active) if active[i] > 0]


def test_the_search_takes_the_features_with_the_largest_effects(model: SteeredModel, tmp_path: Path) -> None:
    """Effects against transformers' own forward passes, one answer at a time."""
    folder = write_sae(tmp_path, model)
    settings = {"path": folder, "probe_strength": 3.0, "scope": "all"}
    steerer, artifact = fit(model, settings)
    context = fit_context(model)
    candidates = by_phrase(model, read_sae(folder), CARRIER, PHRASE, context.neutral)
    effects = {}
    for number in candidates:
        named = make_steerer("sae", {**settings, "feature": int(number)})
        plan = named.plan(steer_request(model, 3.0), named.fit(context)).plan
        effects[int(number)] = leaning(model, plan) - leaning(model, EMPTY)
        found = by_effect(model, [plan], context.demonstrations, steerer.rewrite)
        assert found[0] == pytest.approx(effects[int(number)], abs=1e-4)
    best, worst = max(effects, key=effects.__getitem__), min(effects, key=effects.__getitem__)
    expected = {"positive": [best] if effects[best] > 0 else [0], "negative": [worst] if effects[worst] < 0 else [0]}
    assert chosen(artifact) == expected
    assert artifact.arrays["signs"].ravel().tolist() == [float(effects[best] > 0), float(effects[worst] < 0)]


def leaning(model: SteeredModel, plan: Any) -> float:
    means: dict[str, list[float]] = {"positive": [], "negative": []}
    for item in fit_context(model).demonstrations:
        prompt = model.token_ids(model.render([Message("user", item.prompt)]), special=False)
        answer = model.token_ids(item.answer, special=False)
        with torch.no_grad(), steer(model, plan) as module:
            logits = module(input_ids=torch.tensor([prompt + answer])).logits[0]
        logprobs = logits[len(prompt) - 1 : -1].log_softmax(-1).gather(1, torch.tensor(answer)[:, None])
        means[item.direction].append(float(logprobs.mean()))
    return float(np.mean(means["positive"]) - np.mean(means["negative"]))


def test_a_table_gives_each_direction_its_feature(llama: SteeredModel, tmp_path: Path) -> None:
    folder, table = write_sae(tmp_path / "sae", llama), tmp_path / "t.csv"
    table.write_text("steer_dim,player_name,Security\n,A,0\n,B,0\n3,A,1\n3,B,1\n5,A,-1\n5,B,-1\n", encoding="utf-8")
    steerer, artifact = fit(llama, {"path": folder, "table": table})
    assert chosen(artifact) == {"positive": [3], "negative": [5]}
    down = steerer.plan(steer_request(llama, 100.0, "negative"), artifact).plan.interventions[0]
    assert down.coefficient == 100.0, "a feature that lowers is added, too"
    assert np.array_equal(down.params["vector"].array, read_sae(folder).decoder[5])
    assert set(steerer.reads) == {folder, table}

    table.write_text("steer_dim,player_name,Security\n,A,0\n3,A,1\n", encoding="utf-8")
    one, artifact = fit(llama, {"path": folder, "table": table})
    with pytest.raises(UsageError, match="no feature for the negative direction"):
        one.plan(steer_request(llama, 100.0, "negative"), artifact)


# Steering


def test_it_adds_to_the_tokens_of_the_phrase_in_the_prompt_only(model: SteeredModel, tmp_path: Path) -> None:
    folder = write_sae(tmp_path, model)
    steerer, artifact = fit(model, {"path": folder, "feature": PLANTED})
    steered = steerer.plan(steer_request(model, 40.0), artifact)
    assert steered.messages[0].content == f"{CARRIER}\nShould I leave the village?"
    prompt = model.render(steered.messages)
    ids = model.token_ids(prompt, special=False)
    text = TextRow(prompt, special=False)
    base = model.capture([text], [LAYER], reduce="none")[0][:, 0]
    after = model.capture([replace(text, plan=steered.plan)], [LAYER], reduce="none")[0][:, 0]
    moved = [i for i in range(len(ids)) if not np.array_equal(base[i], after[i])]
    assert "your values" in model.codec.decode([ids[i] for i in moved])
    assert len(moved) < len(ids) / 2
    expected = np.tile(40 * read_sae(folder).decoder[PLANTED], (len(moved), 1))
    assert after[moved] - base[moved] == pytest.approx(expected, abs=1e-3)


def test_a_prompt_that_has_the_phrase_keeps_its_words(llama: SteeredModel, tmp_path: Path) -> None:
    steerer, artifact = fit(llama, {"path": write_sae(tmp_path, llama), "feature": 1})
    told = steer_request(llama, system=[Message("system", "Speak from your values.")])
    assert steerer.plan(told, artifact).messages == told.messages
    wide, artifact = fit(llama, {"path": write_sae(tmp_path, llama), "feature": 1, "scope": "all"})
    assert wide.plan(steer_request(llama), artifact).messages == steer_request(llama).messages


@pytest.mark.parametrize("architecture", ["standard", "jumprelu"])
def test_clamping_sets_the_activation(model: SteeredModel, tmp_path: Path, architecture: str) -> None:
    threshold = np.full(N_FEATURES, 0.5, dtype=np.float32)
    unit = np.random.default_rng(3).normal(size=(N_FEATURES, model.width)).astype(np.float32)
    folder = write_sae(tmp_path, model, architecture=architecture, arrays={"threshold": threshold, "W_dec": unit})
    sae = read_sae(folder)
    settings = {"path": folder, "features": [PLANTED], "scope": "all", "mode": "clamp"}
    steerer, artifact = fit(model, settings)
    text = TextRow(model.render([Message("user", "Should I leave?")]), special=False)
    base = model.capture([text], [LAYER], reduce="none")[0][:, 0]
    for direction, target in (("positive", 4.0), ("negative", 0.0)):
        plan = steerer.plan(steer_request(model, 4.0, direction), artifact).plan  # type: ignore[arg-type]
        after = model.capture([replace(text, plan=plan)], [LAYER], reduce="none")[0][:, 0]
        missing = target - sae.activations(base)[:, [PLANTED]]
        assert after - base == pytest.approx(missing * sae.decoder[PLANTED], abs=2e-3)


def test_a_scaled_autoencoder_is_clamped_in_its_own_units(llama: SteeredModel, tmp_path: Path) -> None:
    folder = write_sae(tmp_path, llama, normalize_activations="expected_average_only_in")
    sae, context = read_sae(folder), fit_context(llama)
    steerer, artifact = fit(llama, {"path": folder, "feature": 4, "scope": "all", "mode": "clamp"})
    rows = [TextRow(text, special=True) for text in context.neutral]
    neutral = np.concatenate([s[1:, 0] for s in llama.capture(rows, [LAYER], reduce="none")])  # without the BOS
    scale = np.sqrt(llama.width) / np.linalg.norm(neutral, axis=1).mean()
    plan = steerer.plan(steer_request(llama, 6.0), artifact).plan
    text = TextRow("They asked.", special=False)
    base = llama.capture([text], [LAYER], reduce="none")[0][:, 0]
    after = llama.capture([replace(text, plan=plan)], [LAYER], reduce="none")[0][:, 0]
    missing = 6.0 - sae.activations((base * scale).astype(np.float32))[:, [4]]
    assert (after - base) * scale == pytest.approx(missing * sae.decoder[4], abs=2e-3)


def test_rows_do_not_depend_on_their_batch(model: SteeredModel, tmp_path: Path) -> None:
    folder = write_sae(tmp_path, model)
    rows = []
    for i, mode in enumerate(["add", "clamp"] * 4):
        steerer, artifact = fit(model, {"path": folder, "feature": i, "mode": mode})
        steered = steerer.plan(steer_request(model, 5.0 * i, text="Why? " * i + "Should I go?"), artifact)
        rows.append(GenerationRow(model.render(steered.messages), steered.plan, max_new_tokens=8, special=False))
    alone, together = dict(model.generate(rows, batch_size=1)), dict(model.generate(rows, batch_size=8))
    assert together == alone
    plain = dict(model.generate([replace(row, plan=EMPTY) for row in rows]))
    assert plain[0] == alone[0]
    assert plain != alone, "else nothing was steered"


def test_an_artifact_survives_the_disk(llama: SteeredModel, tmp_path: Path) -> None:
    steerer, artifact = fit(llama, {"path": write_sae(tmp_path, llama), "features": "[1, 3]"})
    artifact.save(tmp_path / "a.safetensors")
    again = Artifact.load(tmp_path / "a.safetensors")
    asked = steer_request(llama, 20.0, "negative")
    plan = steerer.plan(asked, artifact).plan
    assert steerer.plan(asked, again).plan == plan
    assert [i.coefficient for i in plan.interventions] == [-20.0, -20.0]
    assert steerer.plan(steer_request(llama, 0.0), artifact) == steerer.plan(steer_request(llama, 0.0), again)
    assert steerer.plan(steer_request(llama, 0.0), artifact).plan.is_empty
    vector = plan.interventions[0].params["vector"]
    assert isinstance(vector, FrozenArray)


# Bad input


def test_an_autoencoder_of_another_model_is_refused(llama: SteeredModel, tmp_path: Path) -> None:
    def refused(folder: Path, message: str, **settings: Any) -> None:
        with pytest.raises(UsageError, match=message):
            fit(llama, {"path": folder, "feature": 1, **settings})

    refused(write_sae(tmp_path / "a", llama, hook="blocks.12.hook_resid_post"), "layer 12, but .* has 5 layers")
    narrow = {"W_enc": np.ones((8, 3)), "W_dec": np.ones((3, 8)), "b_enc": np.ones(3), "b_dec": np.ones(8)}
    arrays = {k: v.astype(np.float32) for k, v in narrow.items()}
    refused(write_sae(tmp_path / "b", llama, arrays=arrays), "width 8, those of .* have 32")
    meta = {"hook_name": f"blocks.{LAYER}.hook_resid_post", "model_name": "gemma-2b-it"}
    other = write_sae(tmp_path / "c", llama, metadata=meta)
    refused(other, "trained on 'gemma-2b-it'.*any_model=true")
    fit(llama, {"path": other, "feature": 1, "any_model": True})
    refused(write_sae(tmp_path / "d", llama), "12 features, 0 to 11; there is no 99", feature=99)
    refused(write_sae(tmp_path / "d2", llama, hook="blocks.1.attn.hook_q"), "which is not steered here")
    fine = write_sae(tmp_path / "e", llama)
    with pytest.raises(UsageError, match="reads layer 2 only; --layers asks for 1"):
        fit(llama, {"path": fine, "feature": 1}, layers=(1,))


def test_what_is_no_autoencoder_is_named(llama: SteeredModel, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs one sparse autoencoder"):
        fit(llama, {})
    with pytest.raises(UsageError, match="needs one sparse autoencoder"):
        fit(llama, {"release": "gemma-2b-it-res-jb"})
    with pytest.raises(UsageError, match=r"no cfg\.json"):
        fit(llama, {"path": tmp_path})
    folder = write_sae(tmp_path / "x", llama, architecture="temporal")
    with pytest.raises(UsageError, match="'temporal' autoencoder; supported: standard"):
        read_sae(folder)
    folder = write_sae(tmp_path / "y", llama, architecture="gated")
    with pytest.raises(UsageError, match=r"lacks, or has in another shape.*r_mag"):
        read_sae(folder)
    (folder / "sae_weights.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(UsageError, match="cannot be read as a sparse autoencoder"):
        read_sae(folder)
    folder = write_sae(tmp_path / "z", llama, normalize_activations="covariance_whitening")
    with pytest.raises(UsageError, match="normalises by 'covariance_whitening'"):
        read_sae(folder)


def test_a_release_needs_sae_lens(llama: SteeredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sae_lens", None)
    with pytest.raises(UsageError, match=r"valuebench-harness\[sae\]"):
        fit(llama, {"release": "gemma-2b-it-res-jb", "sae_id": "blocks.12.hook_resid_post", "feature": 1})


def test_choices_that_cannot_be_made_are_named(llama: SteeredModel, tmp_path: Path) -> None:
    folder = write_sae(tmp_path, llama)
    with pytest.raises(UsageError, match="no answers for and against 'security'"):
        fit(llama, {"path": folder}, demonstrations=[])
    silent = write_sae(tmp_path / "silent", llama, arrays={"b_enc": np.full(N_FEATURES, -1e6, dtype=np.float32)})
    with pytest.raises(UsageError, match=r"No feature of .* is active on ' your values'"):
        fit(llama, {"path": silent})
    for settings, message in (
        ({"feature": 1, "features": [2]}, "give only one of"),
        ({"carrier": "Answer."}, "does not hold the phrase"),
        ({"top": 0}, "'top'"),
    ):
        with pytest.raises(UsageError, match=message):
            make_steerer("sae", settings)
    layered = write_sae(tmp_path / "norm", llama, normalize_activations="layer_norm")
    with pytest.raises(UsageError, match="cannot be clamped one by one"):
        fit(llama, {"path": layered, "feature": 1, "mode": "clamp"})
    table = tmp_path / "t.csv"
    table.write_text("steer_dim,player_name,Security\n,A,0\nica,A,1\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"'ica' .* is no number of a feature"):
        fit(llama, {"path": folder, "table": table})
