r"""Activation addition (ActAdd): one pair of prompts, no training set.

Turner et al., 2023 ("Activation Addition: Steering Language Models Without Optimization",
Algorithm 1). Two prompts of opposite meaning, padded with spaces to the same number of tokens, are
read at one layer; with :math:`h_l(t)_j` the state of token :math:`j`, the steering vector has a row
for every token,

.. math:: v_{l,j} = h_l(t^+)_j - h_l(t^-)_j

and row :math:`j` is added, with a coefficient, to token :math:`j` of the prompt: the first tokens of the
residual stream, special tokens included (a BOS that both prompts share gives a row of zeros). Strength is
the coefficient; the paper's example pair has 5 at layer 6 of GPT-2 XL's 48. Its layer is the *input* of
a block, which is the output of the one before: block 5 here, for other models the same share.

``placement="mean"`` is a choice of ours: the mean of the rows that differ is added at every token, also
to generated ones, since after a chat template the first tokens are a header and far from the answer.

Prompts are "I love {name}" and "I hate {name}", after the paper's pair *Love* and *Hate*; a data set with
wordings of its own for a value (``mini``) lends those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, TokenScope
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers import base
from valuebench_harness.steerers.addition import add_vectors

if TYPE_CHECKING:
    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.states import States

SHARE = 6 / 48
MOST_SPACES = 256


class Settings(base.Settings):
    """The two prompts and where their difference is added.

    Attributes:
        positive: prompt for the value; ``{name}`` is the value's name. ``None`` for the data set's
            wording, else "I love {name}".
        negative: prompt against it; ``None`` as above, else "I hate {name}".
        placement: ``front``, token by token (the paper); or ``mean``, at every token.
    """

    positive: str | None = None
    negative: str | None = None
    placement: Literal["front", "mean"] = "front"


class ActAdd(base.Steerer[Settings]):
    """Adds the difference of two prompts' states. Strength is the coefficient."""

    name = "actadd"
    source = "Turner et al., 2023"
    settings_type = Settings
    uses_pairs = False
    default_strength = 5.0

    def fit(self, context: base.FitContext) -> Artifact:
        """Reads both prompts; all layers are kept, so that another can be steered without a new fit.

        Raises:
            UsageError: where the prompts cannot be told apart or brought to one length.
        """
        positive, negative = self._prompts(context)
        rows = np.subtract(*aligned(context.states, positive, negative))
        differing = np.abs(rows).max(axis=(1, 2)) > 0
        if not differing.any():
            raise UsageError(
                f"ActAdd for {context.value.id}: the prompts {positive!r} and {negative!r} are the same to "
                f"{context.shape.name}. Name others with --set positive=... --set negative=..."
            )
        n = context.shape.n_layers
        layers = context.layers or (max(0, round(SHARE * n) - 1),)
        arrays = {"vectors": rows[differing].mean(axis=0, dtype=np.float64).astype(np.float32)}
        for position in np.flatnonzero(differing):
            arrays[f"position-{position}"] = rows[position]
        return context.artifact(self.name, arrays, layers=layers, settings=self.settings)

    def _prompts(self, context: base.FitContext) -> tuple[str, str]:
        name = context.value.name.lower()
        own = self.settings.positive, self.settings.negative
        found = [
            given or context.wording.get(side) or default
            for given, side, default in zip(
                own, ("positive", "negative"), ("I love {name}", "I hate {name}"), strict=True
            )
        ]
        return found[0].replace("{name}", name), found[1].replace("{name}", name)

    def plan(self, request: base.SteerRequest, artifact: Artifact | None) -> base.Steered:
        """Adds each row at its position, or their mean everywhere."""
        assert artifact is not None
        if self.settings.placement == "mean":
            return add_vectors(request, artifact, TokenScope("all"))
        if request.strength == 0 or not request.gate_open:
            return base.Steered(request.messages)
        return base.Steered(
            request.messages,
            SteerPlan(
                tuple(
                    Intervention(
                        kind="add",
                        layer=layer,
                        params={"vector": vector},
                        scope=TokenScope("position", position=position),
                        coefficient=request.sign * request.strength,
                    )
                    for layer in artifact.meta.layers
                    for position, vector in _rows(artifact, layer)
                )
            ),
        )


def aligned(states: States, positive: str, negative: str) -> tuple[np.ndarray, np.ndarray]:
    """States of two prompts, the shorter padded with spaces to the length of the other.

    Returns:
        Two arrays ``[n_tokens, n_layers, width]``, float32.

    Raises:
        UsageError: where spaces do not lengthen the prompt token by token.
    """
    texts = [positive, negative]
    found = [states.tokens(text) for text in texts]
    for _ in range(MOST_SPACES):
        lengths = [len(tokens) for tokens in found]
        if lengths[0] == lengths[1]:
            return found[0], found[1]
        shorter = lengths.index(min(lengths))
        texts[shorter] += " "
        found[shorter] = states.tokens(texts[shorter])
    raise UsageError(
        f"The prompts {positive!r} and {negative!r} have {lengths[0]} and {lengths[1]} tokens, and spaces do not "
        "make them even on this model. Name prompts of one length with --set positive=... --set negative=..."
    )


def _rows(artifact: Artifact, layer: int) -> list[tuple[int, FrozenArray]]:
    """Positions and their vectors at a layer, first to last."""
    positions = sorted(int(name.removeprefix("position-")) for name in artifact.arrays if name.startswith("position-"))
    return [(position, artifact.frozen(f"position-{position}", layer)) for position in positions]
