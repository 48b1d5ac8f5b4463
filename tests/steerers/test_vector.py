"""Vectors from files: what is written comes back equal, by our reader and by the formats' own; the rest is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tests.steerers.states import context, request, value
from tests.support.checkpoints import build_checkpoint
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.steer import steer
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.export import export_vectors
from valuebench_harness.harness.fitting import code_identity
from valuebench_harness.steerers.base import FitContext
from valuebench_harness.steerers.registry import make_steerer
from valuebench_harness.steerers.vectors import FORMATS, Origin, check_formats, read_vectors, write_vectors
from valuebench_harness.steerers.vectors.static import static_vectors

ORIGIN = Origin(model="tiny", model_type="llama", blocks="model.layers", method="caa", value="security")
VECTORS = {layer: np.random.default_rng(layer).normal(size=12).astype(np.float32) for layer in (1, 3, 6)}


def written(folder: Path, kind: str) -> Path:
    path = folder / f"v.{kind}"
    write_vectors(path, VECTORS, ORIGIN)
    return path


def same(found: dict[int, np.ndarray], expected: dict[int, np.ndarray]) -> bool:
    return found.keys() == expected.keys() and all(np.array_equal(found[layer], expected[layer]) for layer in found)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_written_comes_back_bit_for_bit(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    assert same(read_vectors(path), VECTORS)
    content = path.read_bytes()
    assert written(tmp_path, kind).read_bytes() == content, "the same vectors are the same file"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_steerer_adds_what_the_file_holds(tmp_path: Path, kind: str) -> None:
    steerer = make_steerer("vector", {"file": str(written(tmp_path, kind))})
    artifact = steerer.fit(context())
    steps = steerer.plan(request(2.0, "negative"), artifact).plan.interventions
    assert [(s.kind, s.layer, s.coefficient, s.scope.kind) for s in steps] == [
        ("add", x, -2.0, "all") for x in (1, 3, 6)
    ]
    for step in steps:
        vector: Any = step.params["vector"]
        assert np.array_equal(vector.array, VECTORS[step.layer])
    fewer = steerer.fit(context(layers=(6,)))
    assert fewer is not None
    assert fewer.meta.layers == (6,)
    with pytest.raises(UsageError, match="has no vector for layer 2; it has layers 1, 3, 6"):
        steerer.fit(context(layers=(2,)))


def test_a_file_a_value_and_changed_files(tmp_path: Path) -> None:
    """The cache of fits knows a method by the content of the files it reads."""
    written(tmp_path, "gguf").rename(tmp_path / "v-security.gguf")
    write_vectors(tmp_path / "v-power.gguf", {1: VECTORS[1]}, ORIGIN)
    steerer = make_steerer("vector", {"file": f"{tmp_path}/v-{{value}}.gguf"})
    artifact = steerer.fit(context())
    assert artifact is not None
    assert artifact.meta.layers == (1, 3, 6), "that of the value, not that of power"
    assert [path.name for path in steerer.reads] == ["v-power.gguf", "v-security.gguf"]
    before = code_identity(steerer)
    assert code_identity(steerer) == before
    write_vectors(tmp_path / "v-security.gguf", {1: VECTORS[3]}, ORIGIN)
    assert code_identity(steerer) != before


# The formats by other hands


def test_gguf_is_a_control_vector_of_llama_cpp(tmp_path: Path) -> None:
    reader = gguf.GGUFReader(written(tmp_path, "gguf"))

    def field(name: str) -> Any:
        found = reader.get_field(name)
        assert found is not None
        return found.contents()

    assert field("general.architecture") == "controlvector"
    assert field("controlvector.model_hint") == "llama"
    assert field("controlvector.layer_count") == 3
    assert {t.name: t.data.tolist() for t in reader.tensors} == {
        f"direction.{k}": v.tolist() for k, v in VECTORS.items()
    }


def test_a_gguf_of_another_tool(tmp_path: Path) -> None:
    """Half precision, no layer count, as others write them."""
    path = tmp_path / "peer.gguf"
    writer = gguf.GGUFWriter(path, "controlvector")
    writer.add_tensor("direction.2", VECTORS[1].astype(np.float16))
    writer.add_tensor("other.tensor", VECTORS[3])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert same(read_vectors(path), {2: VECTORS[1].astype(np.float16).astype(np.float32)})


def test_pt_with_a_coefficient_and_a_row(tmp_path: Path) -> None:
    path = tmp_path / "peer.pt"
    entry = {"steering_vector": torch.from_numpy(VECTORS[1])[None], "steering_coefficient": -2.5, "action": "add"}
    torch.save({"gpt_neox.layers.4": entry}, path)
    assert same(read_vectors(path), {4: VECTORS[1] * np.float32(-2.5)})


@pytest.mark.parametrize("names", [("direction.1", "direction.3"), ("1", "3"), ("model.layers.1", "model.layers.3")])
def test_safetensors_names_end_in_the_layer(tmp_path: Path, names: tuple[str, str]) -> None:
    path = tmp_path / "peer.safetensors"
    save_file({names[0]: VECTORS[1].astype(np.float64), names[1]: VECTORS[3].astype(np.float64)}, path)
    assert same(read_vectors(path), {1: VECTORS[1], 3: VECTORS[3]})


# Every static vector of ours


@pytest.mark.parametrize("name", ["caa", "repe"])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_fitted_method_steers_alike_from_every_file(
    model: SteeredModel, real_context: Callable[..., FitContext], tmp_path: Path, name: str, kind: str
) -> None:
    method = make_steerer(name)
    ctx = real_context()
    artifact = method.fit(ctx)
    assert artifact is not None
    artifact.save(tmp_path / "fit.safetensors")
    (path,) = export_vectors(method, artifact, value(), model, [kind], tmp_path / "fit.safetensors")
    ids = torch.tensor([model.token_ids("Should I leave the village?", special=True)])

    def logits(file: Path | None) -> torch.Tensor:
        steerer = method if file is None else make_steerer("vector", {"file": str(file)})
        with torch.no_grad(), steer(model, steerer.plan(request(1.5), steerer.fit(ctx)).plan) as module:
            found: torch.Tensor = module(input_ids=ids).logits
        return found

    own = logits(None)
    assert torch.equal(logits(path), own)
    assert torch.equal(logits(tmp_path / "fit.safetensors"), own), "an artifact is a file of vectors as well"
    assert path.name == f"fit.vectors.{kind}"


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_lm_evals_own_steered_model_steers_as_we_do(tmp_path: Path, arch: Any) -> None:
    from lm_eval.models.hf_steered import SteeredModel as LmEvalSteered

    folder = build_checkpoint(tmp_path / arch, arch)
    model = load(str(folder), device="cpu")
    vectors = {layer: 5 * np.random.default_rng(layer).normal(size=32).astype(np.float32) for layer in (1, 3)}
    path = tmp_path / "v.pt"
    write_vectors(path, vectors, Origin("tiny", arch, model.layout.path, "caa", "security"))
    peer = LmEvalSteered(pretrained=str(folder), steer_path=str(path), device="cpu")
    ids = torch.tensor([model.token_ids("Should I leave the village?", special=True)])
    plan = SteerPlan(tuple(Intervention("add", x, {"vector": FrozenArray(v)}) for x, v in read_vectors(path).items()))
    with torch.no_grad(), steer(model, plan) as module:
        own = module(input_ids=ids).logits
        plain = peer.model(ids).logits
    with torch.no_grad():
        steered = peer.forward(input_ids=ids).logits
    assert (steered - plain).abs().max() > 0.1
    torch.testing.assert_close(own, steered, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("conva", {}, "does 'minimal-shift' at site 'block', tokens 'all'"),
        ("ablate", {}, "does 'ablate'"),
        ("caa", {"scope": "prompt"}, "does 'add' at site 'block', tokens 'prompt'"),
    ],
)
def test_methods_that_do_more_than_add_vectors(name: str, settings: dict[str, Any], words: str) -> None:
    steerer = make_steerer(name, settings)
    artifact = steerer.fit(context(gap=8.0))
    assert artifact is not None
    with pytest.raises(UsageError, match=f"'{name}' cannot be written as a file of vectors: it {words}"):
        static_vectors(steerer, artifact, value())


def test_layer_0_has_no_place_in_gguf(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot hold layer 0"):
        write_vectors(tmp_path / "v.gguf", {0: VECTORS[1]}, ORIGIN)
    assert not list(tmp_path.iterdir())


def test_formats_by_name() -> None:
    assert check_formats("gguf, PT,gguf") == ("gguf", "pt")
    with pytest.raises(UsageError, match="Did you mean 'gguf'"):
        check_formats("ggf")


# Bad files


def refused(path: Path, words: str, **more: Any) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        make_steerer("vector", {"file": str(path)}).fit(context(**more))
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'vector' needs a file: --set file="):
        make_steerer("vector").fit(context())
    refused(tmp_path / "none.gguf", "There is no file of vectors")
    refused(tmp_path / "v.npy", r"no file of vectors by its name: the suffix must be one of \.safetensors")


@pytest.mark.parametrize("kind", FORMATS)
def test_files_of_another_model_name_both_sides(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    refused(path, "made for a model of width 12 .*but tiny has width 16", width=16)
    refused(path, "has a vector for layer 6, but tiny has 4 layers, 0 to 3", n_layers=4)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite(tmp_path: Path, kind: str, bad: float) -> None:
    path = tmp_path / f"v.{kind}"
    write_vectors(path, {2: np.array([1.0, bad] * 6, dtype=np.float32)}, ORIGIN)
    refused(path, "the vector of layer 2 holds values that are not finite")


@pytest.mark.parametrize("kind", FORMATS)
def test_matrices_and_empty_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"v.{kind}"
    write_vectors(path, {2: np.ones((3, 4), dtype=np.float32)}, ORIGIN)
    refused(path, r"layer 2 has the shape \[3, 4\]; a vector was expected")
    write_vectors(path, {}, ORIGIN)
    refused(path, "holds no steering vector")


class Evil:
    """Unpickling runs code; reading must not unpickle."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('pickle was loaded')",)


@pytest.mark.parametrize("kind", FORMATS)
def test_files_that_are_something_else(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:60], whole[:-30], pickle.dumps(Evil()), b"\xff" * 64):
        path.write_bytes(content)
        refused(path, rf"v\.{kind} is no ")


def test_a_pickle_in_torchs_clothes_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    torch.save({"layers.1": Evil()}, path)
    refused(path, "no steering file of tensors and numbers, and nothing else is loaded")


def test_a_model_in_gguf_is_no_control_vector(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("direction.1", VECTORS[1])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    refused(path, "a GGUF file of the architecture 'llama', not of a control vector")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "holds a list, not lm-eval's dictionary"),
        ({"layers.1.mlp": {}}, "'layers.1.mlp' is no block"),
        ({"layers.1": {}}, "there is no tensor 'steering_vector'"),
        ({"layers.1": {"steering_vector": torch.ones(12), "action": "clamp"}}, "only the action 'add'"),
        ({"layers.1": {"steering_vector": torch.ones(12), "head_index": 2}}, "only the action 'add'"),
        ({"layers.1": {"steering_vector": torch.ones(12), "steering_coefficient": "2"}}, "'2', not a number"),
        ({"layers.1": {"steering_vector": torch.ones(12)}, "h.1": {}}, "'h.1' is no block of its own"),
    ],
)
def test_pt_files_that_do_more_than_add(tmp_path: Path, content: Any, words: str) -> None:
    torch.save(content, tmp_path / "v.pt")
    refused(tmp_path / "v.pt", words)


@pytest.mark.parametrize(
    ("names", "words"),
    [(["weight"], "the tensor 'weight' names no layer"), (["a.1", "b.1"], "several tensors for layer 1")],
)
def test_safetensors_of_other_things(tmp_path: Path, names: list[str], words: str) -> None:
    save_file(dict.fromkeys(names, VECTORS[1]), tmp_path / "v.safetensors")
    refused(tmp_path / "v.safetensors", words)


def test_an_artifact_of_another_model(real_context: Callable[..., FitContext], tmp_path: Path) -> None:
    artifact = make_steerer("caa").fit(context())
    assert artifact is not None
    artifact.save(tmp_path / "caa.safetensors")
    steerer = make_steerer("vector", {"file": str(tmp_path / "caa.safetensors")})
    with pytest.raises(UsageError, match=r"fitted on tiny \(8 layers, width 12\), but tiny has 5 layers, width 32"):
        steerer.fit(real_context())
