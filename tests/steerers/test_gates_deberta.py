"""ConVA's own gate, on a small random detector that is laid out like the published one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import DebertaConfig, DebertaModel, DebertaV2Config, DebertaV2Model, PreTrainedModel

from tests.steerers.states import context
from tests.support.checkpoints import CORPUS, build_tokenizer
from valuebench_harness.data.values import load_value_system
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.attempt import attempt
from valuebench_harness.harness.config import make_config
from valuebench_harness.steerers.base import FitContext
from valuebench_harness.steerers.gates.base import GatePrompt
from valuebench_harness.steerers.gates.deberta import BETWEEN, LABELS_OF, PUBLISHED, DebertaGate, Settings
from valuebench_harness.steerers.gates.detector import LABELS, ValueDetector
from valuebench_harness.steerers.registry import make_gate
from valuebench_harness.steerers.table16 import TABLE_16

WIDTH = 128
TEXTS = (*CORPUS, "Yes.", "Should I stay? " * 200)


def build(
    folder: Path, *, prefix: str = "bert.", name: str = "deberta_custom", pickled: bool = True
) -> PreTrainedModel:
    """Writes a detector and returns its encoder: deberta-large's architecture, two layers of it."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(chat_template=None)
    encoder = DebertaModel(
        DebertaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=2 * WIDTH,
            relative_attention=True,
            max_relative_positions=-1,
            position_biased_input=False,
            pos_att_type=["c2p", "p2c"],
            type_vocab_size=0,
            initializer_range=0.2,
        )
    )
    return _save(folder, encoder, tokenizer, prefix=prefix, name=name, pickled=pickled)


def _save(
    folder: Path, encoder: PreTrainedModel, tokenizer: Any, *, prefix: str, name: str, pickled: bool
) -> PreTrainedModel:
    folder.mkdir(parents=True)
    head = torch.nn.Linear(encoder.config.hidden_size, len(LABELS))
    head.weight.data *= 2
    tensors = {prefix + n: t.contiguous() for n, t in encoder.state_dict().items()}
    tensors |= {"classifier.weight": head.weight.data, "classifier.bias": head.bias.data}
    if pickled:
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        save_file(tensors, folder / "model.safetensors")
    settings: dict[str, Any] = {"model_type": name, "auto_map": {"AutoModel": "modeling_detector.Detector"}}
    if name.startswith("deberta-"):
        settings = {**encoder.config.to_dict(), **settings}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "modeling_detector.py").write_text("raise SystemExit('code of a checkpoint was run')")
    tokenizer.save_pretrained(folder)
    encoder.train(False)
    return encoder


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PreTrainedModel]:
    folder = tmp_path_factory.mktemp("detectors") / "detector"
    return folder, build(folder)


def by_hand(folder: Path, encoder: PreTrainedModel, text: str) -> np.ndarray[Any, Any]:
    """The labels' probabilities of one text alone: transformers' encoder, the rest in numpy."""
    ids = build_tokenizer(chat_template=None)(text, truncation=True, max_length=512)["input_ids"]
    with torch.no_grad():
        first = encoder(input_ids=torch.tensor([ids])).last_hidden_state[0, 0].double().numpy()
    tensors = torch.load(folder / "pytorch_model.bin", weights_only=True)
    logits = tensors["classifier.weight"].double().numpy() @ first + tensors["classifier.bias"].double().numpy()
    return np.asarray(1 / (1 + np.exp(-logits)))


def fit_context(value: str) -> FitContext:
    """To fit for one of Schwartz's values, or for one of the user's own."""
    system = load_value_system("schwartz")
    known = system.get(value) if value in system.ids else system.get("power").model_copy(update={"id": value})
    return replace(context(), value=known)


def prompts(texts: Sequence[str]) -> list[GatePrompt]:
    return [GatePrompt(rendered=f"<template>{text}", message=text) for text in texts]


class TestDetector:
    def test_scores_are_those_of_each_text_alone(self, published: tuple[Path, PreTrainedModel]) -> None:
        folder, encoder = published
        scores = ValueDetector.load(folder, torch.device("cpu")).scores(TEXTS, batch_size=5)
        expected = np.stack([by_hand(folder, encoder, text) for text in TEXTS])
        assert expected.std(axis=0).min() > 0.01
        np.testing.assert_allclose(scores, expected, atol=1e-5)

    @pytest.mark.parametrize(("prefix", "pickled"), [("deberta.", False), ("model.encoder_.", True), ("", False)])
    def test_whatever_the_encoder_is_called(
        self, prefix: str, pickled: bool, tmp_path: Path, published: tuple[Path, PreTrainedModel]
    ) -> None:
        build(tmp_path / "other", prefix=prefix, pickled=pickled)
        one, other = (
            ValueDetector.load(folder, torch.device("cpu")).scores(TEXTS[:3])
            for folder in (published[0], tmp_path / "other")
        )
        np.testing.assert_array_equal(one, other)

    def test_an_encoder_that_the_configuration_names(self, tmp_path: Path) -> None:
        tokenizer = build_tokenizer(chat_template=None)
        sizes: dict[str, Any] = {
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 2 * WIDTH,
            "relative_attention": True,
            "position_buckets": 16,
            "pos_att_type": ["c2p", "p2c"],
            "initializer_range": 0.2,
        }
        torch.manual_seed(1)
        encoder = DebertaV2Model(DebertaV2Config(**sizes))
        _save(tmp_path / "v3", encoder, tokenizer, prefix="deberta.", name="deberta-v2", pickled=True)
        scores = ValueDetector.load(tmp_path / "v3", torch.device("cpu")).scores(TEXTS[:4])
        expected = np.stack([by_hand(tmp_path / "v3", encoder, text) for text in TEXTS[:4]])
        np.testing.assert_allclose(scores, expected, atol=1e-5)

    def test_what_is_no_detector_is_named(self, tmp_path: Path) -> None:
        cpu, folder = torch.device("cpu"), tmp_path / "broken"
        build(folder, pickled=False)
        tensors = load_file(folder / "model.safetensors")

        def with_tensors(changed: dict[str, torch.Tensor]) -> Path:
            save_file(changed, folder / "model.safetensors")
            return folder

        lacking = {n: t for n, t in tensors.items() if "layer.1.output.dense" not in n}
        with pytest.raises(
            UsageError, match=r"lacks 2 tensors of its encoder, such as bert\.encoder\.layer\.1\.output"
        ):
            ValueDetector.load(with_tensors(lacking), cpu)
        with pytest.raises(UsageError, match="no single linear map from its first token"):
            ValueDetector.load(with_tensors(tensors | {"classifier.weight": torch.zeros(20, 2 * WIDTH)}), cpu)
        with pytest.raises(UsageError, match=r"holds no value detector: its weights have 0 tensors"):
            ValueDetector.load(with_tensors({"classifier.weight": torch.zeros(20, WIDTH)}), cpu)
        renamed = {n.replace("in_proj", "query_proj"): t for n, t in tensors.items()}
        with pytest.raises(UsageError, match="is a 'deberta_custom' whose encoder is not known here"):
            ValueDetector.load(with_tensors(renamed), cpu)
        (folder / "model.safetensors").write_bytes(b"nothing")
        with pytest.raises(UsageError, match=r"weights in .* cannot be read"):
            ValueDetector.load(folder, cpu)
        (folder / "model.safetensors").unlink()
        with pytest.raises(UsageError, match="has no weights of a value detector"):
            ValueDetector.load(folder, cpu)


class TestGate:
    def test_a_value_is_the_mean_of_its_labels_against_its_threshold(
        self, published: tuple[Path, PreTrainedModel]
    ) -> None:
        folder, encoder = published
        gate = make_gate("deberta", {"detector": str(folder)})
        assert gate is not None
        states: Any = None
        artifact = gate.fit(fit_context("security"))
        assert artifact.meta.method == "gate-deberta"
        decisions = gate.decide(prompts(TEXTS), artifact, states)
        at = [LABELS.index("Security: personal"), LABELS.index("Security: societal")]
        expected = [by_hand(folder, encoder, text)[at].mean() for text in TEXTS]
        assert [d.score for d in decisions] == pytest.approx(expected, abs=1e-5)
        assert [d.open for d in decisions] == [score > 0.2 for score in expected]
        middle = float(np.median(expected))
        own = make_gate("deberta", {"detector": str(folder), "g0": middle})
        assert own is not None
        opened = [d.open for d in own.decide(prompts(TEXTS), own.fit(fit_context("security")), states)]
        assert opened == [score > middle for score in expected]
        assert 0 < sum(opened) < len(opened)

    def test_every_label_belongs_to_one_value_or_lies_between_two(self) -> None:
        counted = [label for labels in (*LABELS_OF.values(), *BETWEEN.values()) for label in labels]
        assert sorted(counted) == sorted(LABELS)
        assert set(LABELS_OF) == set(load_value_system("schwartz").ids) == set(TABLE_16)
        for value, labels in LABELS_OF.items():  # the published code's rule, the name being part of the label
            assert set(labels) == {label for label in LABELS if value in label.lower()}

    def test_face_and_humility_are_counted_when_asked_for(self, published: tuple[Path, PreTrainedModel]) -> None:
        settings = {"detector": str(published[0]), "labels": "all"}
        gate = make_gate("deberta", settings)
        assert gate is not None
        for value, label in (("power", "Face"), ("tradition", "Humility")):
            labels = gate.fit(fit_context(value)).arrays["labels"].astype(int)
            assert LABELS.index(label) in labels
        assert len(gate.fit(fit_context("security")).arrays["labels"]) == 2

    def test_another_detector_is_another_gate(self, published: tuple[Path, PreTrainedModel], tmp_path: Path) -> None:
        shutil.copytree(published[0], tmp_path / "copy")
        tensors = torch.load(tmp_path / "copy" / "pytorch_model.bin", weights_only=True)
        torch.save(tensors | {"classifier.bias": torch.ones(20)}, tmp_path / "copy" / "pytorch_model.bin")
        one, other = (DebertaGate(Settings(detector=str(folder))) for folder in (published[0], tmp_path / "copy"))
        fits = [gate.fit(fit_context("power")).arrays["detector"] for gate in (one, other)]
        assert not np.array_equal(fits[0], fits[1])
        assert one.reads == (published[0],)

    def test_what_is_not_there_says_how_to_get_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        gate = make_gate("deberta")
        assert gate is not None
        with pytest.raises(UsageError) as error:
            gate.fit(fit_context("power"))
        for part in (PUBLISHED, "was not found locally", "--gate-set detector=FOLDER", "--gate probe"):
            assert part in str(error.value)

    def test_a_run_asks_it_about_the_users_words_alone(self, published: tuple[Path, PreTrainedModel]) -> None:
        """Neither the system prompt nor the chat template reaches the detector."""
        folder, encoder = published
        question = "Should I keep the promise?"
        at = [LABELS.index(label) for label in LABELS_OF["security"]]
        expected = by_hand(folder, encoder, question)[at].mean()
        for g0, opened in ((expected - 0.01, True), (expected + 0.01, False)):
            settings = {"detector": str(folder), "g0": float(g0)}
            config = make_config(
                steerer="ica", values=("security",), gate="deberta", gate_settings=settings, system_prompt="Be brief."
            )
            base, steered = attempt(config, question)
            assert steered.gate_score == pytest.approx(expected, abs=1e-5)
            assert steered.gate_open is opened
            assert (steered.prompt != base.prompt) is opened

    def test_settings_and_values_that_do_not_fit(self, published: tuple[Path, PreTrainedModel]) -> None:
        with pytest.raises(UsageError, match="'g0' of gate 'deberta' must be between 0 and 1"):
            make_gate("deberta", {"g0": 1.5})
        with pytest.raises(UsageError, match="g0"):
            make_gate("deberta", {"g0": "table17"})
        gate = make_gate("deberta", {"detector": str(published[0])})
        assert gate is not None
        with pytest.raises(UsageError, match=r"Unknown value of the gate 'deberta' 'thrift'.*Use --gate probe"):
            gate.fit(fit_context("thrift"))
