"""A trained sparse autoencoder: read from a folder or a sae-lens release, as arrays.

Whatever an architecture of sae-lens does before its ReLU is folded into one linear map a feature: with
``x`` the state, feature ``i`` is active where ``z_i = encoder_i . x + bias_i`` exceeds ``threshold_i``,
and its activation is then ``z_i``. What cannot be folded is the scale of ``x`` (`Sae.normalise`).
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from valuebench_harness.engine.intervention import Site
from valuebench_harness.errors import UsageError

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
"""The two files of sae-lens' ``save_model``."""

ARCHITECTURES = ("standard", "jumprelu", "gated", "topk", "batchtopk", "matryoshka_batchtopk")
NORMALISATIONS = ("none", "expected_average_only_in", "constant_norm_rescale", "layer_norm")

Matrix = NDArray[np.float32]


class Place(NamedTuple):
    """The states an autoencoder was trained on."""

    site: Site
    layer: int


@dataclass(frozen=True, eq=False)
class Sae:
    """A sparse autoencoder in inference form.

    Attributes:
        name: for messages: its folder, or release and id.
        place: whose states it reads.
        model: name of the model it was trained on, empty where the file does not say.
        architecture: sae-lens' name of it.
        normalisation: what is done to a state first, one of ``NORMALISATIONS``.
        encoder: ``[n_features, d]``.
        bias: ``[n_features]``.
        threshold: ``[n_features]``; 0 for a ReLU.
        decoder: ``[n_features, d]``.
    """

    name: str
    place: Place
    model: str
    architecture: str
    normalisation: str
    encoder: Matrix
    bias: Matrix
    threshold: Matrix
    decoder: Matrix

    @property
    def n_features(self) -> int:
        """How many features it has."""
        return int(self.decoder.shape[0])

    @property
    def width(self) -> int:
        """Of the states it reads."""
        return int(self.decoder.shape[1])

    @property
    def features_act_alone(self) -> bool:
        """Whether a feature's activation depends on its own pre-activation only; with top-k they compete."""
        return self.architecture != "topk"

    def normalise(self, states: Matrix, reference: Matrix) -> Matrix:
        """Scales states as the autoencoder was trained to see them.

        Args:
            states: ``[n, d]``.
            reference: states of ordinary text at the same place, ``[m, d]``: their mean norm gives the one
                scale of ``expected_average_only_in``, which files often lack (Anthropic, April 2024 update).
        """
        root = np.sqrt(self.width)
        match self.normalisation:
            case "expected_average_only_in":
                return np.asarray(states * (root / np.linalg.norm(reference, axis=1).mean()), dtype=np.float32)
            case "constant_norm_rescale":
                return np.asarray(states * (root / np.linalg.norm(states, axis=1, keepdims=True)), dtype=np.float32)
            case "layer_norm":
                centred = states - states.mean(axis=1, keepdims=True)
                return np.asarray(centred / (centred.std(axis=1, ddof=1, keepdims=True) + 1e-5), dtype=np.float32)
            case _:
                return states

    def activations(self, states: Matrix) -> Matrix:
        """Activations of all features, ``[n, n_features]``, of normalised states; competition is left out."""
        z = states @ self.encoder.T + self.bias
        return np.where(z > self.threshold, z, 0.0).astype(np.float32)


def read_sae(folder: Path) -> Sae:
    """Reads what sae-lens' ``save_model`` wrote; sae-lens is not needed.

    Raises:
        UsageError: files are missing or malformed, or the architecture is not supported.
    """
    config_path, weights_path = folder / CONFIG, folder / WEIGHTS
    for path in (config_path, weights_path):
        if not path.is_file():
            raise UsageError(
                f"{folder} is no sparse autoencoder: there is no {path.name} in it (sae-lens' save_model)."
            )
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        config = json.loads(config_path.read_text(encoding="utf-8"))
        arrays = load_file(weights_path)
    except (ValueError, SafetensorError, OSError) as error:
        raise UsageError(
            f"{folder} cannot be read as a sparse autoencoder ({type(error).__name__}: {error})."
        ) from None
    if not isinstance(config, dict):
        raise UsageError(f"{config_path} must hold an object with the autoencoder's settings.")
    return make_sae(str(folder), config, arrays)


def fetch_sae(release: str, sae_id: str) -> Sae:
    """A published autoencoder, through sae-lens (which downloads it on first use).

    Raises:
        UsageError: sae-lens is not installed, or knows no such release, or cannot load it.
    """
    try:
        sae_lens: Any = importlib.import_module("sae_lens")
    except ImportError:
        raise UsageError(
            "Releases of sparse autoencoders come through sae-lens: pip install 'valuebench-harness[sae]'. "
            "A folder that sae-lens saved needs no sae-lens: --set path=FOLDER."
        ) from None
    try:
        sae = sae_lens.SAE.from_pretrained(release, sae_id, device="cpu", dtype="float32")
    except Exception as error:  # sae-lens raises what its loaders meet: names, network, formats
        raise UsageError(f"sae-lens cannot load '{sae_id}' of release '{release}': {error}") from error
    arrays = {name: tensor.detach().float().numpy() for name, tensor in sae.state_dict().items()}
    return make_sae(f"{release}/{sae_id}", sae.cfg.to_dict(), arrays)


def make_sae(name: str, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Sae:
    """Folds an architecture of sae-lens into one linear map and threshold a feature.

    Raises:
        UsageError: an unknown architecture, normalisation or place, or tensors that do not fit together.
    """
    meta = {**config, **(config.get("metadata") or {})}
    architecture = str(config.get("architecture", "standard"))
    if architecture not in ARCHITECTURES:
        raise UsageError(f"{name} is a '{architecture}' autoencoder; supported: {', '.join(ARCHITECTURES)}.")
    normalisation = str(config.get("normalize_activations") or "none")
    if normalisation not in NORMALISATIONS:
        raise UsageError(f"{name} normalises by '{normalisation}'; supported: {', '.join(NORMALISATIONS)}.")
    try:
        return Sae(
            name,
            hook_place(name, str(meta["hook_name"])),
            str(meta.get("model_name") or ""),
            architecture,
            normalisation,
            *_fold(architecture, config, {k: np.asarray(v, dtype=np.float32) for k, v in arrays.items()}),
        )
    except (KeyError, ValueError) as error:
        raise UsageError(f"{name} lacks, or has in another shape, what a '{architecture}' has: {error}.") from None


def _fold(
    architecture: str, config: Mapping[str, Any], arrays: Mapping[str, Matrix]
) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """Encoder, bias, threshold and decoder; see the module's docstring."""
    decoder = arrays["W_dec"]
    encoder = np.ascontiguousarray(arrays["W_enc"].T)
    zero = np.zeros(len(decoder), dtype=np.float32)
    if encoder.shape != decoder.shape or arrays["b_dec"].shape != decoder.shape[1:]:
        raise ValueError(f"W_enc {arrays['W_enc'].shape}, W_dec {decoder.shape}, b_dec {arrays['b_dec'].shape}")
    if architecture == "gated":
        # The gate g.x + b_gate > 0 and the magnitude m = e^r g.x + b_mag share g, so the gate opens
        # where m exceeds b_mag - e^r b_gate.
        grow = np.exp(arrays["r_mag"])
        encoder, bias = encoder * grow[:, None], arrays["b_mag"]
        threshold = np.maximum(bias - grow * arrays["b_gate"], 0.0)
    else:
        bias, threshold = arrays["b_enc"], arrays.get("threshold", zero)
    if config.get("rescale_acts_by_decoder_norm"):
        norm = np.linalg.norm(decoder, axis=1)
        encoder, bias, decoder = encoder * norm[:, None], bias * norm, decoder / norm[:, None]
    if config.get("apply_b_dec_to_input", True):
        bias = bias - encoder @ arrays["b_dec"]
    if not all(np.isfinite(a).all() for a in (encoder, bias, threshold, decoder)):
        raise ValueError("values that are not finite")
    return encoder, bias, np.broadcast_to(threshold, bias.shape).astype(np.float32), decoder


_HOOKS: tuple[tuple[str, Site], ...] = (
    (r"blocks\.(\d+)\.hook_resid_post", "block"),
    (r"blocks\.(\d+)\.hook_resid_pre", "input"),
    (r"blocks\.(\d+)\.hook_mlp_out", "mlp"),
    (r"blocks\.(\d+)\.hook_attn_out", "attention"),
    (r"blocks\.(\d+)\.attn\.hook_z", "heads"),
    (r"(?:[a-z_]+\.)*(?:layers|h|blocks)\.(\d+)", "block"),
)
"""Names of places in TransformerLens, and a block's path in transformers."""


def hook_place(name: str, hook: str) -> Place:
    """The place that a hook's name means.

    Raises:
        UsageError: it is none of those that this harness steers.
    """
    for pattern, site in _HOOKS:
        match = re.fullmatch(pattern, hook)
        if match:
            return Place(site, int(match.group(1)))
    raise UsageError(
        f"{name} was trained at '{hook}', which is not steered here; known: blocks.N.hook_resid_post, "
        "hook_resid_pre, hook_mlp_out, hook_attn_out, attn.hook_z, and a block's path such as model.layers.N."
    )
