"""Short names of models: shipped, a user's own, and what a run does with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.checkpoints import build_checkpoint, build_tokenizer
from valuebench_harness.engine import loading, memory
from valuebench_harness.engine.plan import Message
from valuebench_harness.errors import UsageError
from valuebench_harness.harness import aliases as a
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.family import model_path
from valuebench_harness.harness.listing import list_models
from valuebench_harness.harness.session import load_model


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file of short names."""
    path = tmp_path / "models.yaml"
    monkeypatch.setenv(a.MODELS_VARIABLE, str(path))
    return path


@pytest.fixture(autouse=True)
def _nothing_of_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv(a.MODELS_VARIABLE, raising=False)


def test_the_papers_models_have_names() -> None:
    ids = {name: alias.id for name, alias in a.aliases().items()}
    for size in ("3b", "7b", "14b", "32b"):
        assert ids[f"qwen2.5-{size}"] == f"Qwen/Qwen2.5-{size.upper()}-Instruct"
    assert ids["qwen2.5-72b"] == "Qwen/Qwen2.5-72B-Instruct-AWQ"
    assert ids["vicuna"] == "lmsys/vicuna-13b-v1.5"
    assert {"llama2", "llama3", "mistral", "gemma", "gemma-2b-it"} <= set(ids)
    assert a.find_alias("LLaMA2") == a.SHIPPED["llama2"]
    assert a.find_alias("someone/model") is None
    assert model_path("llama2") == "meta-llama/Llama-2-7b-chat-hf"


def test_memory_is_weights_times_their_width() -> None:
    """7B in float16 take 13.5 GB; the published files of the 72B AWQ model take 41.6 GB."""
    assert a.SHIPPED["llama2"].bytes == 2 * 6_738_415_616
    awq = a.SHIPPED["qwen2.5-72b"].bytes
    assert awq is not None
    assert awq == pytest.approx(41.6e9, rel=0.05)
    half = a.ModelAlias(id="x/y", parameters=1000, quantization="8bit")
    assert (half.bytes, half.weights) == (1000, "8bit")


def test_smaller_models_are_named_once_and_the_largest_first() -> None:
    named = a.smaller(7 * 10**9, "bfloat16")
    assert named[0] == "qwen2.5-3b (6.2 GB)"
    assert sum(name.startswith("gemma") for name in named) == 1
    assert a.smaller(7 * 10**9, "float32")[0] == "qwen2.5-1.5b (6.2 GB)"
    assert a.smaller(50 * 10**9, "float32")[0] == "qwen2.5-72b (41.8 GB)"
    assert a.smaller(1000, "bfloat16") == []


def test_vicuna_speaks_its_own_format() -> None:
    tokenizer = build_tokenizer(chat_template=a.VICUNA_TEMPLATE)
    turns = [
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "How are you?"},
    ]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<bos>A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
        "detailed, and polite answers to the user's questions. USER: Hello! ASSISTANT: Hi.<eos> USER: How are you? "
        "ASSISTANT:"
    )
    system = [{"role": "system", "content": "Be brief."}, turns[0]]
    assert tokenizer.apply_chat_template(system, tokenize=False) == "<bos>Be brief. USER: Hello!"


class TestOwn:
    def test_a_name_of_the_users_own_is_loaded_with_its_settings(self, own: Path, tmp_path: Path) -> None:
        folder = build_checkpoint(tmp_path / "tiny", chat_template=None)
        own.write_text(
            f"Mine:\n  id: {folder}\n  dtype: bfloat16\n  chat_template: \"[{{{{ messages[0]['content'] }}}}]\"\n"
        )
        model = load_model(make_config(model="mine"))
        assert (model.name, model.dtype) == ("mine", "bfloat16")
        assert model.render([Message("user", "Hi")]) == "[Hi]"
        assert f"'mine' stands for {folder}." in model.notes
        assert load_model(make_config(model="mine", dtype="float32")).dtype == "float32"
        (listed,) = [m for m in list_models() if m.name == "mine"]
        assert (listed.id, listed.architecture, listed.folder) == (str(folder), "LlamaForCausalLM", folder)

    def test_it_may_replace_a_shipped_name(self, own: Path) -> None:
        own.write_text("llama2: {id: someone/llama, parameters: 1000, stored: float32}\nother: {id: a/b}")
        assert a.aliases()["llama2"].bytes == 4000
        assert a.aliases()["other"].bytes is None
        assert "llama3" in a.aliases()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[", "cannot be read as YAML"),
            ("- a", "must hold names, each with its keys"),
            ("mine: someone/model", "must hold names, each with its keys"),
            ("mine: {idd: a/b}", "Unknown key of mine 'idd'. Did you mean 'id'?"),
            ("mine: {about: x}", "'id' of mine: Field required"),
            ("mine: {id: a/b, parameters: -1}", "'parameters' of mine"),
            ("Mini: {id: a/b}", "'mini' is the built-in model"),
        ],
    )
    def test_a_malformed_file_says_what_is_wrong(self, own: Path, text: str, said: str) -> None:
        own.write_text(text)
        with pytest.raises(UsageError) as error:
            a.aliases()
        assert said in str(error.value)
        assert str(own) in str(error.value)

    def test_a_file_that_is_named_must_be_there(self, own: Path) -> None:
        with pytest.raises(UsageError, match="VHARNESS_MODELS is set to"):
            a.aliases()


def test_a_slip_of_the_pen_is_met_with_the_nearest_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match=r"'lama2' was not found .* Did you mean 'llama2'\?"):
        load_model(make_config(model="lama2"))


def test_a_model_that_does_not_fit_names_smaller_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build_checkpoint(tmp_path / "big")
    monkeypatch.setattr(loading, "_LONG_LOAD", 0)
    monkeypatch.setattr(loading, "size_of", lambda *_args, **_more: memory.Size(linear=10**10, other=0))
    monkeypatch.setattr(memory, "_free_on_cpu", lambda: 5 * 10**9)
    with pytest.raises(
        UsageError, match=r"needs 40\.0 GB in float32.* Smaller models by name: qwen2\.5-0\.5b \(2\.0 GB\)"
    ):
        load_model(make_config(model=str(folder)))
