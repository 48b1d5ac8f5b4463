"""Our vectors and steered logits beside those of the libraries that users come from.

    python benchmarks/peers/vectors.py

Each peer runs in an environment of its own, which the first call makes (with pip; a few gigabytes, in
``--environments``); texts go there as JSON and tensors come back as safetensors. CAA is compared with
steering-vectors, RepE and GGUF files with repeng, on ``mini`` and the contrastive pairs of a value. Prints a
row a comparison with the bound it has to keep, and leaves with 1 where one does not.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import environments
import numpy as np
import torch
from safetensors import safe_open

from valuebench_harness.data.datasets import load_dataset
from valuebench_harness.engine import SteeredModel, SteerPlan, load, steer
from valuebench_harness.harness.export import export_vectors
from valuebench_harness.mini import weights_path
from valuebench_harness.steerers.base import FitContext, ModelShape, SteerRequest
from valuebench_harness.steerers.registry import make_steerer
from valuebench_harness.steerers.states import States
from valuebench_harness.steerers.vectors import read_vectors

STRENGTH = 2.0
LAYER = 2
DEFAULT_ROOT = Path(tempfile.gettempdir()) / "vharness-peers"


@dataclass(frozen=True)
class Row:
    """One comparison: what was measured and the bound that it has to keep."""

    what: str
    figure: float
    bound: float
    at_least: bool

    @property
    def kept(self) -> bool:
        """Whether the bound holds."""
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        return f"{self.what:<58} {self.figure:<12.8g} {sign} {self.bound:<8g} {'' if self.kept else 'NOT KEPT'}"


@dataclass(frozen=True)
class Ours:
    """What we fit and steer, on one model and one value.

    Attributes:
        model: the built-in one.
        context: of the value's fits.
        prompts: whose logits are compared.
    """

    model: SteeredModel
    context: FitContext
    prompts: list[str]

    def logits(self, plan: SteerPlan, prompt: str) -> np.ndarray:
        """Logits ``[n_tokens, vocabulary]`` of a prompt under a plan."""
        ids = torch.tensor([self.model.token_ids(prompt, special=True)])
        with torch.no_grad(), steer(self.model, plan) as module:
            found: np.ndarray = module(input_ids=ids).logits[0].numpy()
        return found

    def plan(self, name: str, settings: dict[str, object], layers: tuple[int, ...], strength: float) -> SteerPlan:
        """A method's plan at some layers."""
        steerer = make_steerer(name, settings)
        context = FitContext(**{**vars(self.context), "layers": layers})
        request = SteerRequest((), context.value, "positive", strength, context.shape)
        return steerer.plan(request, steerer.fit(context)).plan

    def vectors(self, name: str, settings: dict[str, object]) -> np.ndarray:
        """A method's vectors at all layers, ``[n_layers, width]``."""
        artifact = make_steerer(name, settings).fit(self.context)
        assert artifact is not None
        return artifact.arrays["vectors"]


def prepare(value: str) -> Ours:
    """The built-in model with the pairs of a value."""
    data, model = load_dataset("mini"), load(str(weights_path()), device="cpu")
    context = FitContext(
        shape=ModelShape("mini", model.n_layers, model.width),
        states=States(model, batch_size=1),
        value=data.system.get(value),
        pairs=data.pairs(value, controlled=True),
        neutral=[],
    )
    return Ours(model, context, [item.question for item in data.dilemmas(value)[:8]])


def with_steering_vectors(ours: Ours, peer: dict[str, np.ndarray]) -> Iterator[Row]:
    """CAA: the vectors of all layers, and logits steered at one."""
    caa = ours.vectors("caa", {})
    yield Row("CAA, least cosine over layers", least_cosine(caa, of(peer, "caa")), 0.9999, True)
    gaps = [float(np.abs(caa[layer] - vector).max()) for layer, vector in of(peer, "caa").items()]
    yield Row("CAA, largest difference of an entry", max(gaps), 1e-4, False)
    yield from logit_rows("CAA", ours, peer, ours.plan("caa", {}, (LAYER,), STRENGTH))


def with_repeng(ours: Ours, peer: dict[str, np.ndarray], folder: Path) -> Iterator[Row]:
    """RepE by both of its methods, GGUF files in both ways, and logits steered from ours."""
    last = ours.model.n_layers - 1  # repeng reads the last layer after the final norm, where no block ends
    for method, center in (("pca_center", False), ("pca_diff", True)):
        own = ours.vectors("repe", {"center": center, "scale": "unit"})
        theirs = {layer: vector for layer, vector in of(peer, method).items() if layer != last}
        name = f"RepE ({method}), least |cosine| over layers"
        yield Row(name, least_cosine(own, theirs, absolute=True), 0.999, True)
    own = read_vectors(folder / "from-us.gguf")
    yield Row("GGUF from us in repeng, largest difference", largest_gap(own, of(peer, "loaded")), 0.0, False)
    back = read_vectors(folder / "from-repeng.gguf")
    yield Row("GGUF from repeng in ours, largest difference", largest_gap(back, of(peer, "exported")), 0.0, False)
    yield from logit_rows("RepE", ours, peer, ours.plan("repe", {}, tuple(own), STRENGTH))


def logit_rows(name: str, ours: Ours, peer: dict[str, np.ndarray], plan: SteerPlan) -> Iterator[Row]:
    """Unsteered logits, steered ones, and how far steering moved them."""
    for kind, used in (("plain", SteerPlan()), ("steered", plan)):
        gaps = [float(np.abs(ours.logits(used, p) - peer[f"{kind}.{n}"]).max()) for n, p in enumerate(ours.prompts)]
        yield Row(f"{name}, {kind} logits, largest difference", max(gaps), 1e-4, False)
    moved = [float(np.abs(peer[f"steered.{n}"] - peer[f"plain.{n}"]).max()) for n in range(len(ours.prompts))]
    yield Row(f"{name}, least that steering moved a logit of a prompt", min(moved), 0.1, True)


def of(peer: dict[str, np.ndarray], name: str) -> dict[int, np.ndarray]:
    """Layer to vector, of the tensors called ``name.layer``."""
    return {int(key.rpartition(".")[2]): value for key, value in peer.items() if key.rpartition(".")[0] == name}


def least_cosine(own: np.ndarray, theirs: dict[int, np.ndarray], *, absolute: bool = False) -> float:
    """The least cosine over layers."""
    found = []
    for layer, vector in theirs.items():
        a, b = own[layer].astype(np.float64), vector.astype(np.float64)
        found.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    return float(np.min(np.abs(found) if absolute else found))


def largest_gap(own: dict[int, np.ndarray], theirs: dict[int, np.ndarray]) -> float:
    """The largest difference of an entry; infinite where the layers differ."""
    if own.keys() != theirs.keys():
        return float("inf")
    return max(float(np.abs(own[layer] - theirs[layer]).max()) for layer in own)


def main() -> None:
    """Prints one table a peer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, default=DEFAULT_ROOT, help=f"[{DEFAULT_ROOT}]")
    parser.add_argument("--value", default="security")
    options = parser.parse_args()
    ours = prepare(options.value)
    kept = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = [[pair.positive, pair.negative] for pair in ours.context.pairs]
        ask = {"model": str(weights_path()), "pairs": pairs, "prompts": ours.prompts}
        ask |= {"layer": LAYER, "strength": STRENGTH, "pad_token": ours.model.tokenizer.pad_token}
        (folder / "ask.json").write_text(json.dumps(ask), encoding="utf-8")
        repe = make_steerer("repe")
        fitted = repe.fit(ours.context)
        assert fitted is not None
        written = export_vectors(repe, fitted, ours.context.value, ours.model, ["gguf"], folder / "repe")
        written[0].rename(folder / "from-us.gguf")
        machine = f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}"
        print(f"{machine}; mini, {options.value}, {len(pairs)} pairs, {len(ours.prompts)} prompts")
        for peer in environments.PEERS:
            environments.run(peer, options.environments, folder)
            with safe_open(folder / f"{peer.name}.safetensors", framework="np") as file:
                libraries = file.metadata()
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
            print("\n" + ", ".join(f"{name} {version}" for name, version in sorted(libraries.items())))
            rows = with_repeng(ours, tensors, folder) if peer.name == "repeng" else with_steering_vectors(ours, tensors)
            for row in rows:
                print(row)
                kept &= row.kept
    raise SystemExit(0 if kept else 1)


if __name__ == "__main__":
    main()
