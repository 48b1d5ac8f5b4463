r"""Features of a sparse autoencoder (SAE), added or clamped.

Kang et al., ACL 2025, Section 2.2: with :math:`d_f` the decoder direction of feature :math:`f`,
:math:`h \leftarrow h + c\, d_f` with :math:`c = 100` on the tokens of " your values" in the prompt, nowhere else.
Candidates are the 25 features most active on these tokens. A feature moves a value one way or the other, which
is found by measuring: each value has a feature that raises it best and another that lowers it best (their
Table 3), and both are added with the same sign. ``mode=clamp`` sets the feature's activation to the strength
instead (Templeton et al., "Scaling Monosemanticity", 2024); away from the value that is 0.

Which features, in this order: ``feature`` or ``features`` by number; ``table``, orientations measured on training
roles; else the candidates of the phrase, ``select=effect`` measuring their effect on answers for and against the
value that are no test items, ``select=phrase`` taking the most active as it is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from valuebench_harness.engine.intervention import Intervention, TokenScope
from valuebench_harness.engine.plan import Message, SteerPlan
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers import base
from valuebench_harness.steerers.sae_choice import SIDES, addition, candidates, choose, reference_states
from valuebench_harness.steerers.sae_weights import Place, Sae, fetch_sae, read_sae

if TYPE_CHECKING:
    from valuebench_harness.engine.intervention import Param
    from valuebench_harness.steerers.artifact import Artifact

PHRASE = " your values"
CARRIER = "Answer the question according to your values."


class Settings(base.Settings):
    """Which autoencoder, which features, which tokens.

    Attributes:
        path: folder that sae-lens' ``save_model`` wrote.
        release: release of published autoencoders, in place of ``path``.
        sae_id: the one of that release.
        any_model: use it on a model of another name than it was trained on.
        feature: number of the feature.
        features: several at once.
        table: CSV of orientations by feature and role to choose from (Kang et al., Table 3).
        select: how to choose among the candidates of the phrase where no feature is named.
        top: how many candidates the phrase gives.
        probe_strength: at which their effect is measured.
        probe_items: answers for the value, and as many against it, that it is measured on.
        mode: add the decoder direction, or clamp the activation.
        scope: the tokens that are steered.
        phrase: whose tokens they are, and on which candidates are active.
        carrier: sentence put in front of a question that lacks the phrase; empty for none.
    """

    path: Path | None = None
    release: str = ""
    sae_id: str = ""
    any_model: bool = False
    feature: int | None = Field(None, ge=0)
    features: tuple[int, ...] = ()
    table: Path | None = None
    select: Literal["effect", "phrase"] = "effect"
    top: int = Field(25, ge=1)
    probe_strength: float = Field(100.0, gt=0)
    probe_items: int = Field(16, ge=1)
    mode: Literal["add", "clamp"] = "add"
    scope: Literal["phrase", "all", "prompt", "generated", "last-prompt"] = "phrase"
    phrase: str = Field(PHRASE, min_length=1)
    carrier: str = CARRIER

    @field_validator("features", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return [part for part in value.strip("[]").split(",") if part.strip()] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_choice(self) -> Settings:
        if (self.feature is not None) + bool(self.features) + (self.table is not None) > 1:
            raise ValueError("give only one of feature, features and table")
        if self.carrier and self.phrase not in self.carrier:
            raise ValueError(f"the carrier {self.carrier!r} does not hold the phrase {self.phrase!r}")
        return self

    @property
    def token_scope(self) -> TokenScope:
        """The tokens that are steered."""
        return TokenScope("phrase", self.phrase) if self.scope == "phrase" else TokenScope(self.scope)

    @property
    def named(self) -> tuple[int, ...]:
        """Features given by number."""
        return self.features if self.feature is None else (self.feature,)


class SAE(base.Steerer[Settings]):
    """Steers features of a sparse autoencoder. Strength is the coefficient, or the activation clamped to."""

    name = "sae"
    source = "Kang et al., ACL 2025, Section 2.2"
    settings_type = Settings
    uses_pairs = False
    default_strength = 100.0
    tuning_grid = (10.0, 25.0, 50.0, 100.0, 200.0, 400.0)

    @property
    def reads(self) -> tuple[Path, ...]:
        """The autoencoder's folder and the table."""
        return tuple(path for path in (self.settings.path, self.settings.table) if path is not None)

    def fit(self, context: base.FitContext) -> Artifact:
        """Chooses the features for both directions and keeps their rows of the autoencoder.

        Raises:
            UsageError: no autoencoder is named, it belongs to another model, layer or width, it has no such
                feature, or none can be chosen.
        """
        sae = self._load(context)
        numbers, signs = choose(self.settings, sae, context, self.rewrite)
        arrays = _rows(sae, numbers, _scale(sae, context))
        arrays["signs"] = np.array(signs, dtype=np.float32)
        artifact = context.artifact(self.name, arrays, layers=(sae.place.layer,), settings=self.settings)
        chosen = {side: list(map(int, row)) for side, row in zip(SIDES, numbers, strict=True)}
        facts = {**artifact.meta.settings, "chosen": chosen, "site": sae.place.site}
        return replace(artifact, meta=artifact.meta.model_copy(update={"settings": facts}))

    def most_active(self, context: base.FitContext, count: int) -> tuple[int, ...]:
        """The features most active on the phrase, the most active first; fewer where fewer are active.

        Raises:
            UsageError: as :meth:`fit` does of the autoencoder, or no feature is active.
        """
        return tuple(map(int, candidates(self.settings, self._load(context), context, count)))

    def plan(self, request: base.SteerRequest, artifact: Artifact | None) -> base.Steered:
        """Adds or clamps the direction's features on the tokens in scope."""
        assert artifact is not None
        if request.strength == 0 or not request.gate_open:
            return base.Steered(request.messages)
        side = SIDES.index(request.direction)
        if not artifact.arrays["signs"][side].any():
            raise UsageError(
                f"The 'sae' artifact for {request.value.id} has no feature for the {request.direction} direction: "
                "none was found to move the value that way. Name one (--set feature=N)."
            )
        place = Place(artifact.meta.settings["site"], artifact.meta.layers[0])  # type: ignore[arg-type]
        signs = artifact.arrays["signs"][side]
        interventions = tuple(
            self._intervention(artifact, side * len(signs) + i, place, float(sign) * request.strength)
            for i, sign in enumerate(signs)
        )
        return base.Steered(self.rewrite(request.messages), SteerPlan(interventions))

    def rewrite(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """Puts the carrier in front of the last message, if the tokens of the phrase are steered and it is in none."""
        s = self.settings
        if s.scope != "phrase" or not s.carrier or any(s.phrase in m.content for m in messages):
            return messages
        *before, last = messages
        return (*before, Message(last.role, f"{s.carrier}\n{last.content}"))

    def _intervention(self, artifact: Artifact, row: int, place: Place, strength: float) -> Intervention:
        scope = self.settings.token_scope
        if self.settings.mode == "add":
            return addition(place, artifact.frozen("decoder", row), scope, strength)
        params: dict[str, Param] = {
            "encoder": artifact.frozen("encoder", row),
            "decoder": artifact.frozen("clamp_decoder", row),
            "bias": float(artifact.arrays["bias"][row]),
            "threshold": float(artifact.arrays["threshold"][row]),
            "target": max(strength, 0.0),
        }
        return Intervention("sae-clamp", place.layer, params, site=place.site, scope=scope)

    def _load(self, context: base.FitContext) -> Sae:
        s = self.settings
        if (s.path is None) == (not s.release) or bool(s.release) != bool(s.sae_id):
            raise UsageError(
                "'sae' needs one sparse autoencoder: --set path=FOLDER (saved by sae-lens), or --set release=NAME "
                "and --set sae_id=ID (published, through sae-lens)."
            )
        sae = read_sae(s.path) if s.path is not None else fetch_sae(s.release, s.sae_id)
        check_fits(sae, context, any_model=s.any_model)
        if s.mode == "clamp" and not (sae.features_act_alone and sae.normalisation in _LINEAR):
            raise UsageError(
                f"Features of {sae.name} cannot be clamped one by one ('{sae.architecture}', normalised by "
                f"'{sae.normalisation}'): --set mode=add."
            )
        return sae


_LINEAR = ("none", "expected_average_only_in")
"""Normalisations that multiply every state by the same number."""


def check_fits(sae: Sae, context: base.FitContext, *, any_model: bool) -> None:
    """Raises ``UsageError`` where an autoencoder belongs to another model, layer or width, naming both sides."""
    site, layer = sae.place
    assert context.model is not None
    if layer >= context.shape.n_layers:
        raise UsageError(
            f"{sae.name} reads layer {layer}, but {context.shape.name} has {context.shape.n_layers} layers, "
            f"0 to {context.shape.n_layers - 1}: it was trained on another model."
        )
    if context.layers not in (None, (layer,)):
        asked = ", ".join(map(str, context.layers or ()))
        raise UsageError(f"{sae.name} reads layer {layer} only; --layers asks for {asked}.")
    width = context.model.layout.site_width(layer, site)
    if sae.width != width:
        raise UsageError(
            f"{sae.name} reads states of width {sae.width}, those of {context.shape.name} at layer {layer} ({site}) "
            f"have {width}: it was trained on another model."
        )
    names = [name.rstrip("/").rsplit("/", 1)[-1].lower() for name in (sae.model, context.shape.name)]
    if sae.model and names[0] != names[1] and not any_model:
        raise UsageError(
            f"{sae.name} was trained on '{sae.model}', the model is '{context.shape.name}'. "
            "Where they are the same, or near enough, say --set any_model=true."
        )


def _rows(sae: Sae, numbers: np.ndarray, scale: float) -> dict[str, np.ndarray]:
    """The chosen features' part of the autoencoder, a row a feature, the positive direction's first."""
    chosen = numbers.reshape(-1)
    return {
        "decoder": sae.decoder[chosen],
        "encoder": sae.encoder[chosen] * np.float32(scale),
        "clamp_decoder": sae.decoder[chosen] / np.float32(scale),
        "bias": sae.bias[chosen],
        "threshold": sae.threshold[chosen],
    }


def _scale(sae: Sae, context: base.FitContext) -> float:
    """What states are multiplied by before they are encoded, where that is one number."""
    if sae.normalisation != "expected_average_only_in" or not context.neutral:
        return 1.0
    assert context.model is not None
    reference = reference_states(context.model, sae, context.neutral)
    return float(np.sqrt(sae.width) / np.linalg.norm(reference, axis=1).mean())
