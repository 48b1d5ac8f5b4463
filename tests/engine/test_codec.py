"""BOS once, and messages to text for templates of every temper."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import processors

from tests.support.checkpoints import CHAT_TEMPLATE, build_checkpoint, build_tokenizer
from valuebench_harness.engine.codec import Codec
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import Message
from valuebench_harness.errors import UsageError

SYSTEM, USER, ANSWER = Message("system", "Be brief."), Message("user", "Hello?"), Message("assistant", "Yes")
REFUSES = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
)
DROPS = (
    "{% for m in messages %}{% if m['role'] != 'system' %}<{{ m['role'] }}>{{ m['content'] }}{% endif %}{% endfor %}"
)


def codec(template: str | None) -> Codec:
    return Codec(build_tokenizer(chat_template=template))


def render(template: str | None, *messages: Message, opens: bool = False, final: bool = False) -> str:
    return codec(template).render(messages, add_generation_prompt=opens, continue_final=final)


def test_bos_is_never_doubled(model: SteeredModel) -> None:
    bos = model.tokenizer.bos_token_id
    rendered = model.render([USER]) if model.has_chat_template else model.tokenizer.bos_token + "Hello?"
    for text in ("Hello?", rendered):
        for special in (True, False):
            assert model.token_ids(text, special=special).count(bos) <= 1
    assert model.token_ids(rendered, special=True) == model.token_ids(rendered, special=False)


def test_plain_text_gets_the_bos_that_the_tokenizer_adds(folders: dict[str, Path]) -> None:
    for arch in ("llama", "gpt2", "gemma2"):
        model = load(str(folders[arch]), device="cpu")
        assert model.token_ids("Hello?", special=True) == model.tokenizer("Hello?")["input_ids"]
        assert len(model.codec.leading_ids) == (arch != "gpt2")


def test_eos_is_never_appended() -> None:
    tokenizer = build_tokenizer()
    eos = tokenizer.eos_token_id
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", tokenizer.bos_token_id), ("<eos>", eos)]
    )
    assert tokenizer("Hello?")["input_ids"][-1] == eos
    assert Codec(tokenizer).encode("Hello?", special=True) == tokenizer("Hello?")["input_ids"][:-1]


def test_templates() -> None:
    assert render(CHAT_TEMPLATE, SYSTEM, USER, opens=True) == (
        "<bos><|system|>Be brief.<|end|><|user|>Hello?<|end|><|assistant|>"
    )
    assert render(CHAT_TEMPLATE, USER, ANSWER, opens=True, final=True) == "<bos><|user|>Hello?<|end|><|assistant|>Yes"


@pytest.mark.parametrize("template", [REFUSES, DROPS])
def test_a_system_message_that_a_template_does_not_take_joins_the_first_user_turn(template: str) -> None:
    assert render(template, SYSTEM, USER, ANSWER) == "<user>Be brief.\n\nHello?<assistant>Yes"
    assert render(template, SYSTEM) == "<user>Be brief."


def test_base_models_read_contents_with_blank_lines_between() -> None:
    assert render(None, SYSTEM, USER, ANSWER, opens=True) == "Be brief.\n\nHello?\n\nYes"


def test_bad_conversations_are_named() -> None:
    with pytest.raises(UsageError, match="at least one message"):
        render(CHAT_TEMPLATE)
    with pytest.raises(UsageError, match="roles user, user: roles must alternate"):
        render(REFUSES, USER, USER)


def test_a_template_of_ones_own_and_none(tmp_path: Path) -> None:
    folder = build_checkpoint(tmp_path / "base", chat_template=None)
    base = load(str(folder), device="cpu")
    assert not base.has_chat_template
    assert any("no chat template" in note for note in base.notes)
    (tmp_path / "own.jinja").write_text(DROPS)
    for own in (DROPS, str(tmp_path / "own.jinja")):
        model = load(str(folder), device="cpu", chat_template=own)
        assert model.render([USER]) == "<user>Hello?"
        assert not any("no chat template" in note for note in model.notes)
