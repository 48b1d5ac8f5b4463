"""Collections in natural English: a small checkpoint with SAE features, and a model behind a server with a judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from tests.harness.collect.conftest import Collect
from tests.steerers.test_sae import PLANTED, phrase_states, write_sae
from tests.support.chat_server import ChatServer, Reply, Request
from tests.support.checkpoints import build_checkpoint
from valuebench_harness.causal.table import read_table
from valuebench_harness.data.datasets import load_dataset
from valuebench_harness.data.values import load_value_system
from valuebench_harness.engine.loading import load
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.collect import session
from valuebench_harness.harness.collect.store import CollectStore

WIDTH = 32

SMALL: dict[str, Any] = {
    "questions": "schwartz",
    "measured": ("power", "security"),
    "roles": 3,
    "test_roles": 1,
    "limit": 3,
    "item_share": 1.0,
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint(tmp_path_factory.mktemp("models") / "tiny", width=WIDTH, length=1024)


def test_features_of_an_autoencoder_are_settings(collected: Collect, checkpoint: Path, tmp_path: Path) -> None:
    """Each pushes the orientations of every role its own way."""
    sae = write_sae(tmp_path / "sae", load(str(checkpoint), device="cpu"))
    info = collected(
        "run",
        model=str(checkpoint),
        features=("1", "3"),
        settings={"path": str(sae), "any_model": True, "scope": "all"},
        strength=(5.0,),
        score="probability",
        **SMALL,
    )
    assert {fit.method for fit in info.fits} == {"sae"}
    table = read_table(tmp_path / "run" / "train.csv")
    assert table.setting_names == ("", "1", "3")
    base, first, second = (table.by_role(s, table.role_names) for s in table.setting_names)
    assert np.abs(first - base).max() > 1e-3
    assert np.abs(second - first).max() > 1e-3


def test_the_most_active_features_are_chosen_once(
    collected: Collect, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of the published formula on the tokens of the phrase; a later session asks no model for others."""
    model = load(str(checkpoint), device="cpu")
    folder = write_sae(tmp_path / "sae", model)
    arrays = load_file(folder / "sae_weights.safetensors")
    active = np.maximum(phrase_states(model) @ arrays["W_enc"] - 0.1, 0).mean(axis=0)
    order = np.argsort(-active, kind="stable")
    assert active[order[2]] > active[order[3]] > 0
    settings: dict[str, Any] = {
        "model": str(checkpoint),
        "features": ("top:3",),
        "settings": {"path": str(folder), "any_model": True},
        "score": "probability",
        **SMALL,
    }
    with monkeypatch.context() as stopped:
        stopped.setattr(session, "fit_settings", interrupt)
        with pytest.raises(KeyboardInterrupt):
            collected("run", **settings)
    store = CollectStore(tmp_path / "run")
    assert store.info().features == tuple(order[:3])
    assert [s.id for s in store.settings()] == ["", *map(str, order[:3])]
    monkeypatch.setattr(session, "choose_features", interrupt)
    info = collected("run", resume=True, **settings)
    assert (info.status, info.features) == ("complete", tuple(order[:3]))
    assert set(read_table(tmp_path / "run" / "train.csv").setting_names) == {"", *map(str, order[:3])}

    (folder / "sae_weights.safetensors").write_bytes(b"another")
    with pytest.raises(UsageError, match="holds another collection"):
        collected("run", resume=True, **settings)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_fewer_features_are_active_than_asked_for(collected: Collect, checkpoint: Path, tmp_path: Path) -> None:
    model = load(str(checkpoint), device="cpu")
    shy = write_sae(tmp_path / "sae", model)
    arrays = load_file(shy / "sae_weights.safetensors")
    arrays["b_enc"][:] = -1e6
    arrays["b_enc"][[PLANTED, 2]] = 1e6
    save_file(arrays, shy / "sae_weights.safetensors")
    info = collected(
        "run",
        model=str(checkpoint),
        features=("top",),
        settings={"path": str(shy), "any_model": True},
        score="probability",
        **SMALL,
    )
    assert set(info.features) == {PLANTED, 2}
    assert "Only 2 features are active on 'your values', of the 24 asked for." in info.notes


def scripted(request: Request, _: int) -> Reply:
    """A person who agrees in three ways; a judge who reads the third."""
    messages = request.body["messages"]
    if messages[0]["role"] != "system":
        return Reply("Label: no")
    assert "Name: " in messages[0]["content"] or "person" not in messages[0]["content"]
    number = sum(map(ord, messages[-1]["content"])) % 3
    return Reply(("Thought: I am.\nAnswer: Yes", "Thought: Hm.\nAnswer: I cannot say", "Hardly ever, friend.")[number])


def test_a_model_and_a_judge_behind_a_server(
    collected: Collect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is taken at its first words; the judge is asked about the rest only, and about thoughts when told."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-do-not-write-me")
    with ChatServer(scripted).running() as server:
        settings: dict[str, Any] = {
            "model": "openai:talker",
            "model_url": server.url,
            "judge": "openai",
            "judge_settings": {"base_url": server.url},
            **SMALL,
        }
        info = collected("run", **settings)
        judged = sum(r.body["messages"][0]["role"] == "user" for r in server.requests)
        collected("thoughts", judge_thoughts=True, **settings)
        thoughts = sum(r.body["messages"][0]["role"] == "user" for r in server.requests) - judged
    rows = pq.read_table(tmp_path / "run" / "answers.parquet").to_pylist()
    labels = {row["answer"]: row["label"] for row in rows}
    assert set(labels.items()) <= {("Yes", "yes"), ("I cannot say", "unsure"), ("Hardly ever, friend.", "no")}
    assert info.counts["train_unscored"] == info.counts["test_unscored"] == 0
    items = {row["item"] for row in rows if row["answer"].startswith("Hardly")}
    assert judged == len(items) > 0, "an item's question and the same answer are judged once, whoever gave it"
    assert thoughts > 0
    told = pq.read_table(tmp_path / "thoughts" / "answers.parquet").to_pylist()
    assert {row["thought_label"] for row in told if row["thought"]} == {"no"}
    assert {row["thought_label"] for row in rows} == {None}
    assert not any(b"sk-test" in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_instructions_for_the_measured_values(
    collected: Collect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who does as told by the instruction: the orientation of the value named in it is 1 for every role."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-do-not-write-me")
    definition = load_value_system("schwartz").get("power").definition
    agreement = {i.question: i.agreement for i in load_dataset("schwartz").questionnaire("power")}

    def obedient(request: Request, _: int) -> Reply:
        conversation = " ".join(m["content"] for m in request.body["messages"])
        found = [sign for question, sign in agreement.items() if question in conversation]
        told = definition.rstrip(".") in conversation and found == [1]
        return Reply(f"Thought: as told.\nAnswer: {'yes' if told else 'no'}")

    with ChatServer(obedient).running() as server:
        where = {"model": "openai:talker", "model_url": server.url}
        settings = {**SMALL, "measured": ("power",), "test_roles": 0}
        collected("run", steerers=("instruction-positive",), **where, **settings)
    table = read_table(tmp_path / "run" / "train.csv")
    assert table.setting_names == ("", "instruction:power:+1")
    plain, told = (table.by_role(s, table.role_names)[:, 0] for s in table.setting_names)
    assert (told == 1).all()
    assert (plain < 1).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steerers": ("caa",)}, "steers activations"),
        ({"score": "probability"}, "is behind a server"),
    ],
)
def test_what_a_server_cannot_do(collected: Collect, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        collected("run", model="openai:talker", **SMALL, **settings)
