"""The unsteered `SteeredLM` against lm-eval's stock ``hf`` model."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from tests.support.checkpoints import CHAT_TEMPLATE, CORPUS, build_checkpoint
from valuebench_harness.engine.loading import load
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.lm import SteeredLM

LONG = " ".join(CORPUS * 4)
"""Several times what the checkpoints read at once."""

PAIRS = [
    ("Should I leave the village?", " yes"),
    ("Should I leave the village? ", "no"),
    ("Should I leave the village?", " Power is pleasant, power is heavy."),
    ("", "A quiet life has its price"),
    ("Answer in one short sentence:\n", "She saved every coin"),
    (LONG, " the old custom"),
]

CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Should I keep my promises?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "Should I leave the village?"},
]


def requests(kind: Any, arguments: Sequence[tuple[Any, ...]]) -> list[Instance]:
    return [
        Instance(request_type=kind, doc={}, arguments=args, idx=0, metadata=("task", n, 1))
        for n, args in enumerate(arguments)
    ]


@pytest.fixture(scope="module", params=["llama", "gpt2", "mini"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param != "mini":
        template = CHAT_TEMPLATE if request.param == "llama" else None
        return build_checkpoint(tmp_path_factory.mktemp(request.param), request.param, chat_template=template)
    weights = Path(str(files("valuebench_harness.mini"))) / "weights"
    if not (weights / "model.safetensors").is_file():
        pytest.skip("the built-in model's weights are not in this checkout")
    return weights


@pytest.fixture
def ours(folder: Path, tmp_path: Path) -> SteeredLM:
    return SteeredLM(load(str(folder), device="cpu"), cache=Cache(tmp_path / "cache.sqlite"))


@pytest.fixture(scope="module")
def stock(folder: Path) -> HFLM:
    stock = HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=4)
    stock.model.generation_config.max_new_tokens = None  # a checkpoint's own would win over max_gen_toks in hf
    return stock


def test_loglikelihoods_equal_those_of_hf(ours: SteeredLM, stock: HFLM) -> None:
    expected = stock.loglikelihood(requests("loglikelihood", PAIRS))
    found = ours.loglikelihood(requests("loglikelihood", PAIRS))
    assert [x for x, _ in found] == pytest.approx([x for x, _ in expected], abs=1e-4)
    assert [x for _, x in found] == [bool(x) for _, x in expected]


def test_rolling_loglikelihoods_equal_those_of_hf(ours: SteeredLM, folder: Path) -> None:
    # With a BOS of its own, hf would put two in front and count the second.
    stock = HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=4, add_bos_token=False)
    texts = [("Power is pleasant.",), (LONG,)]
    expected = stock.loglikelihood_rolling(requests("loglikelihood_rolling", texts))
    found = ours.loglikelihood_rolling(requests("loglikelihood_rolling", texts))
    assert found == pytest.approx(expected, abs=1e-4, rel=1e-6)


def test_greedy_texts_equal_those_of_hf(ours: SteeredLM, stock: HFLM) -> None:
    plain = {"until": [], "do_sample": False, "max_gen_toks": 24}
    asks = [
        ("Should I leave the village?", plain),
        (CORPUS[0], plain),
        (CORPUS[3], {"max_gen_toks": 12}),
        (LONG, plain),
    ]
    expected = stock.generate_until(requests("generate_until", asks))
    assert any(expected)
    assert ours.generate_until(requests("generate_until", asks)) == expected
    letters = [c for text in expected for c in text if c.isalpha()]
    stopped = [(context, {**settings, "until": letters[5:7]}) for context, settings in asks]
    cut = stock.generate_until(requests("generate_until", stopped))
    assert cut != expected
    assert ours.generate_until(requests("generate_until", stopped)) == cut


def test_chats_equal_those_of_hf(ours: SteeredLM, stock: HFLM) -> None:
    if not ours.model.has_chat_template:
        assert ours.chat_template(True) is None
        return
    assert ours.chat_template(True) == stock.chat_template(True)
    prefilled = [*CONVERSATION, {"role": "assistant", "content": "My answer:"}]
    texts = [ours.apply_chat_template(CONVERSATION), ours.apply_chat_template(prefilled, add_generation_prompt=False)]
    assert texts == [stock.apply_chat_template(CONVERSATION), stock.apply_chat_template(prefilled, False)]
    pairs = [(text, continuation) for text in texts for continuation in ("yes", " the old custom")]
    expected = stock.loglikelihood(requests("loglikelihood", pairs))
    found = ours.loglikelihood(requests("loglikelihood", pairs))
    assert [x for x, _ in found] == pytest.approx([x for x, _ in expected], abs=1e-4)
    asks = [(text, {"until": [], "max_gen_toks": 16}) for text in texts]
    assert ours.generate_until(requests("generate_until", asks)) == stock.generate_until(
        requests("generate_until", asks)
    )
