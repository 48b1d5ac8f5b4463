from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.checkpoints import build_checkpoint, build_model, build_tokenizer
from tests.support.plans import mixed_plans, prompts
from valuebench_harness.engine.fingerprint import fingerprint
from valuebench_harness.engine.layout import find_layout
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.memory import DoesNotFitError
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.rows import GenerationRow, TextRow
from valuebench_harness.errors import UsageError


@pytest.fixture
def folder(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(folders["llama"], tmp_path / "copy"))


def test_what_a_model_knows_of_itself(llama: SteeredModel, folders: dict[str, Path]) -> None:
    assert (llama.n_layers, llama.width, llama.max_length) == (5, 32, 256)
    assert (llama.name, llama.commit, llama.dtype) == (str(folders["llama"]), None, "float32")
    assert not llama.model.training
    assert not any(p.requires_grad for p in llama.model.parameters())
    assert llama.tokenizer.padding_side == "left"


@pytest.mark.parametrize("arch", ["llama", "gpt2", "gemma2"])
def test_layouts(arch: str, folders: dict[str, Path]) -> None:
    layout = load(str(folders[arch]), device="cpu").layout
    assert layout.path == ("transformer.h" if arch == "gpt2" else "model.layers")
    for layer in range(5):
        names = {type(layout.module(layer, site)).__name__ for site in ("block", "attention", "mlp")}
        assert len(names) == 3


def test_named_blocks(llama: SteeredModel) -> None:
    assert find_layout(llama.model, "model.layers").blocks == llama.layout.blocks
    with pytest.raises(UsageError, match=r"looked at nothing\.here"):
        find_layout(llama.model, "nothing.here")
    with pytest.raises(UsageError, match="Layer 5 is out of range: the model has layers 0 to 4"):
        llama.layout.module(5, "block")


class TestDevices:
    """Invariant 7: sharding and half precision."""

    @pytest.mark.parametrize("arch", ["llama", "gpt2", "gemma2"])
    def test_a_model_offloaded_to_disk_gives_the_same(self, arch: str, folders: dict[str, Path]) -> None:
        whole = load(str(folders[arch]), device="cpu")
        blocks = whole.layout.path
        top = blocks.split(".", maxsplit=1)[0]
        device_map = {name: "cpu" for name, _ in whole.model.named_children()} | {
            f"{top}.{name}": "cpu" for name, _ in getattr(whole.model, top).named_children()
        }
        del device_map[top], device_map[blocks]
        device_map |= {f"{blocks}.{i}": "disk" if i % 2 else "cpu" for i in range(whole.n_layers)}
        split = load(str(folders[arch]), device_map=device_map)
        assert next(split.layout.blocks[1].parameters()).device.type == "meta"
        plans = mixed_plans(whole)
        rows = [
            GenerationRow(text, plan, max_new_tokens=6) for text, plan in zip(prompts(len(plans)), plans, strict=True)
        ]
        assert dict(split.generate(rows)) == dict(whole.generate(rows))

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
    def test_half_precision_stays_finite(self, dtype: str, folders: dict[str, Path]) -> None:
        for folder in folders.values():
            model = load(str(folder), dtype=dtype, device="cpu")
            assert model.dtype == dtype
            plans = mixed_plans(model)
            rows = [TextRow(text, plan) for text, plan in zip(prompts(len(plans)), plans, strict=True)]
            states = model.capture(rows, range(model.n_layers))
            assert np.isfinite(states).all()
            asked = [GenerationRow(row.text, row.plan, max_new_tokens=4) for row in rows]
            assert len(dict(model.generate(asked))) == len(rows)

    def test_half_precision_checkpoints_are_widened_on_a_cpu(self, tmp_path: Path) -> None:
        path = build_checkpoint(tmp_path / "half", dtype=torch.bfloat16)
        auto, kept = load(str(path), device="cpu"), load(str(path), dtype="bfloat16", device="cpu")
        assert (auto.dtype, kept.dtype) == ("float32", "bfloat16")
        assert any("bfloat16 weights run in float32" in note for note in auto.notes)
        assert not any("bfloat16" in note for note in kept.notes)
        assert auto.fingerprint == kept.fingerprint


class TestFingerprint:
    def test_it_changes_with_what_turns_text_into_ids_and_ends_an_answer(self, folder: Path) -> None:
        before = fingerprint(folder)
        for name, key, value in (
            ("tokenizer_config.json", "add_bos_token", "x"),
            ("generation_config.json", "eos_token_id", 9),
        ):
            path = folder / name
            text = path.read_text()
            path.write_text(json.dumps({**json.loads(text), key: value}))
            assert fingerprint(folder) != before
            path.write_text(text)
        tokenizer = folder / "tokenizer.json"
        tokenizer.write_bytes(tokenizer.read_bytes() + b" ")
        assert fingerprint(folder) != before

    def test_it_leaves_the_chat_template_to_the_rendered_prompt(self, folder: Path) -> None:
        before = fingerprint(folder)
        (folder / "chat_template.jinja").write_text("{{ messages }}")
        assert fingerprint(folder) == before

    def test_it_survives_copying_and_resharding(self, folder: Path, llama: SteeredModel) -> None:
        assert fingerprint(folder) == llama.fingerprint
        tensors = load_file(folder / "model.safetensors")
        names = sorted(tensors)
        save_file(
            {name: tensors[name] for name in names[:5]}, folder / "model-1.safetensors", metadata={"format": "pt"}
        )
        save_file(
            {name: tensors[name] for name in names[5:]}, folder / "model-2.safetensors", metadata={"format": "pt"}
        )
        index = {name: f"model-{1 + (name in names[5:])}.safetensors" for name in names}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
        (folder / "model.safetensors").unlink()
        save_file({"extra": torch.zeros(3)}, folder / "extra.safetensors")
        assert fingerprint(folder) == llama.fingerprint
        assert fingerprint(folder) == load(str(folder), device="cpu").fingerprint
        (folder / "model.safetensors.index.json").write_text("{}")
        with pytest.raises(UsageError, match="no index of weights"):
            load(str(folder))

    def test_other_weights_or_another_config_differ(self, folder: Path, llama: SteeredModel) -> None:
        tensors = load_file(folder / "model.safetensors")
        tensors["model.norm.weight"][3] += 1
        save_file(tensors, folder / "model.safetensors")
        assert fingerprint(folder) != llama.fingerprint
        shutil.copy(Path(llama.name) / "model.safetensors", folder / "model.safetensors")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-3}))
        assert fingerprint(folder) != llama.fingerprint


class _Touch:
    """Unpickled, it makes a file: what a malicious checkpoint would do, only harmless."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_tensors_in_the_format_of_torch_load_alike(folder: Path, llama: SteeredModel) -> None:
    """As `lmsys/vicuna-13b-v1.5` has them on the hub."""
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    model = load(str(folder), device="cpu")
    row = GenerationRow(prompts(2)[1], max_new_tokens=6)
    assert dict(model.generate([row])) == dict(llama.generate([row]))
    assert fingerprint(folder) == model.fingerprint
    with (folder / "pytorch_model.bin").open("r+b") as file:
        file.seek(-100, 2)
        file.write(b"x")
    assert fingerprint(folder) != model.fingerprint


class TestHub:
    """A repository that lies in the cache of the hub, without a connection."""

    COMMIT = "c" * 40

    @pytest.fixture
    def snapshot(self, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        repository = tmp_path / "hub" / "models--someone--tiny"
        snapshot = Path(shutil.copytree(folders["llama"], repository / "snapshots" / self.COMMIT))
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(self.COMMIT)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        return snapshot

    @pytest.mark.parametrize("revision", [None, "main", COMMIT])
    def test_it_loads_and_names_its_commit(self, revision: str | None, snapshot: Path, llama: SteeredModel) -> None:
        model = load("someone/tiny", revision=revision, device="cpu")
        assert (model.commit, model.fingerprint) == (self.COMMIT, llama.fingerprint)

    def test_weights_that_are_no_safetensors(self, snapshot: Path) -> None:
        torch.save(load_file(snapshot / "model.safetensors"), snapshot / "pytorch_model.bin")
        (snapshot / "model.safetensors").unlink()
        assert load("someone/tiny", device="cpu").commit == self.COMMIT

    def test_what_does_not_fit_is_told_before_weights_are_asked_for(
        self, snapshot: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("valuebench_harness.engine.memory._free_on_cpu", lambda: 1000)
        (snapshot / "model.safetensors").unlink()
        with pytest.raises(DoesNotFitError, match="someone/tiny has"):
            load("someone/tiny", device="cpu")

    def test_a_repository_without_weights(self, snapshot: Path) -> None:
        (snapshot / "model.safetensors").unlink()
        with pytest.raises(UsageError, match="someone/tiny on the hub has no weights"):
            load("someone/tiny", device="cpu")


class TestErrors:
    def test_a_folder_that_is_no_checkpoint(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"no checkpoint: it has no config.json"):
            load(str(tmp_path))

    def test_a_folder_that_does_not_exist(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is no folder"):
            load(str(tmp_path / "gone"))

    def test_pickles_of_more_than_tensors_are_not_run(self, folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        torch.save({"model.norm.weight": _Touch(folder / "touched")}, folder / "pytorch_model.bin")
        with pytest.raises(UsageError, match="hold more than tensors, which could run code"):
            load(str(folder))
        assert not (folder / "touched").exists()

    def test_no_weights(self, folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "model.gguf")
        with pytest.raises(UsageError, match=r"no weights in .safetensors or pytorch_model.bin"):
            load(str(folder))

    def test_truncated_weights(self, folder: Path) -> None:
        data = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
        with pytest.raises(UsageError, match="cannot be loaded"):
            load(str(folder))

    def test_missing_tensors(self, folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        del tensors["model.layers.2.mlp.up_proj.weight"]
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(UsageError, match=r"incomplete: 1 tensors missing, such as model.layers.2.mlp.up_proj"):
            load(str(folder))

    def test_an_unknown_architecture(self, folder: Path) -> None:
        (folder / "config.json").write_text('{"model_type": "nobody_knows"}')
        with pytest.raises(UsageError, match="nobody_knows"):
            load(str(folder))

    def test_a_malformed_config(self, folder: Path) -> None:
        (folder / "config.json").write_text("{")
        with pytest.raises(UsageError, match=r"configuration of .* cannot be read"):
            load(str(folder))

    def test_no_tokenizer(self, folder: Path) -> None:
        for path in folder.glob("tokenizer*"):
            path.unlink()
        with pytest.raises(UsageError, match=r"has no tokenizer: copy its tokenizer.json"):
            load(str(folder))

    def test_an_encoder_decoder(self, folder: Path) -> None:
        (folder / "config.json").write_text('{"model_type": "t5"}')
        with pytest.raises(UsageError, match="encoder-decoder"):
            load(str(folder))

    def test_options_that_do_not_fit(self, folder: Path) -> None:
        with pytest.raises(UsageError, match=r"Unknown dtype 'float31'. Did you mean 'float32'"):
            load(str(folder), dtype="float31")
        with pytest.raises(UsageError, match="not both"):
            load(str(folder), device="cpu", device_map="auto")
        with pytest.raises(UsageError, match="Device 'nowhere'"):
            load(str(folder), device="nowhere")
        with pytest.raises(UsageError, match="chat template"):
            load(str(folder), chat_template=str(folder / "gone.jinja"))

    def test_the_hub_cannot_be_reached(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(UsageError, match="not found locally and the hub cannot be reached"):
            load("somebody/a-model")


def test_the_builders_are_deterministic() -> None:
    tokenizer = build_tokenizer()
    one, other = (build_model("llama", vocab_size=len(tokenizer)).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)
