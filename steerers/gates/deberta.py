r"""ConVA's own gate: a detector of human values reads what the user says (Jin et al., ACL 2025, Section 4.1).

The detector is a DeBERTa fine-tuned on the arguments of ValueEval (Schroter et al., SemEval 2023;
:mod:`.detector`). It knows 20 labels of Schwartz's refined theory; :math:`g(x)` is the mean of those that belong to
the value, and the gate is open where :math:`g(x) > g_0`. The thresholds of ConVA's Table 16 are the default.

What is done otherwise than in the published code, and why:

- Labels belong to values by an explicit table, not by the value's name being part of the label's. The result is
  the same: Face and Humility belong to none. ``labels="all"`` counts them where Schwartz's survey of 1992 asks for
  them: Face ("preserving my public image") in power, Humility ("humble") in tradition.
- The code also steers towards universalism where the score is *below* 0.3, which no equation asks for; here it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.steerers import base
from valuebench_harness.steerers.gates.base import Gate, GateDecision, GatePrompt
from valuebench_harness.steerers.table16 import published

if TYPE_CHECKING:
    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.gates.detector import ValueDetector
    from valuebench_harness.steerers.states import States

PUBLISHED = "tum-nlp/Deberta_Human_Value_Detector"

LABELS_OF = {
    "self-direction": ("Self-direction: thought", "Self-direction: action"),
    "stimulation": ("Stimulation",),
    "hedonism": ("Hedonism",),
    "achievement": ("Achievement",),
    "power": ("Power: dominance", "Power: resources"),
    "security": ("Security: personal", "Security: societal"),
    "tradition": ("Tradition",),
    "conformity": ("Conformity: rules", "Conformity: interpersonal"),
    "benevolence": ("Benevolence: caring", "Benevolence: dependability"),
    "universalism": (
        "Universalism: concern",
        "Universalism: nature",
        "Universalism: tolerance",
        "Universalism: objectivity",
    ),
}
"""The labels of each of the ten values."""

BETWEEN = {"power": ("Face",), "tradition": ("Humility",)}
"""Labels between two values in the refined theory, at the value whose survey items they come from."""


class Settings(base.Settings):
    """Which detector, and how its labels become a decision.

    Attributes:
        g0: the threshold on g(x); ``table16`` takes each value's published one.
        labels: ``published`` counts a value's own labels, ``all`` Face and Humility as well.
        detector: id on the hub, or a folder with the same tensors.
        revision: branch, tag or commit of the detector on the hub.
    """

    g0: float | Literal["table16"] = Field("table16")
    labels: Literal["published", "all"] = "published"
    detector: str = PUBLISHED
    revision: str | None = None


class DebertaGate(Gate[Settings]):
    """Opens where a published detector of human values reads the value in what the user says."""

    name = "deberta"
    settings_type = Settings

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        if isinstance(self.settings.g0, float) and not 0 < self.settings.g0 < 1:
            raise UsageError(f"Setting 'g0' of gate 'deberta' must be between 0 and 1 (got {self.settings.g0:g}).")
        self._scores: dict[str, np.ndarray] = {}

    @cached_property
    def folder(self) -> Path:
        """Where the detector lies; downloaded on first use.

        Raises:
            UsageError: it is not there and cannot be had.
        """
        return self._find()

    @property
    def reads(self) -> tuple[Path, ...]:
        """The detector's files."""
        return (self.folder,)

    def require(self) -> None:
        """Downloads the detector, or finds it.

        Raises:
            UsageError: it is not there and cannot be had.
        """
        self._find()

    def fit(self, context: base.FitContext) -> Artifact:
        """Looks up the value's labels and threshold; there is nothing to learn.

        Raises:
            UsageError: a value that the detector does not know, or no detector.
        """
        from valuebench_harness.engine.fingerprint import fingerprint

        value = context.value.id
        if value not in LABELS_OF:
            raise unknown_name("value of the gate 'deberta'", value, LABELS_OF, "Use --gate probe for other values.")
        g0 = self.settings.g0
        threshold = published(value, "Name a threshold, --gate-set g0=0.5.").g0 if g0 == "table16" else float(g0)
        which = np.frombuffer(bytes.fromhex(fingerprint(self.folder)), dtype=np.uint8)
        return context.artifact(
            f"gate-{self.name}",
            {
                "labels": np.array(self._labels(value), dtype=np.float32),
                "g0": np.array([threshold], dtype=np.float32),
                "detector": which.astype(np.float32),
            },
            layers=(),
            settings=self.settings,
        )

    def decide(self, prompts: Sequence[GatePrompt], artifact: Artifact, states: States) -> list[GateDecision]:  # noqa: ARG002 - reads no states
        """Scores what the user says; the steered model is not asked."""
        texts = [prompt.message for prompt in prompts]
        missing = [text for text in dict.fromkeys(texts) if text not in self._scores]
        self._scores.update(zip(missing, self._detector.scores(missing), strict=True))
        labels, g0 = artifact.arrays["labels"].astype(int), float(artifact.arrays["g0"][0])
        scores = [float(self._scores[text][labels].mean()) for text in texts]
        return [GateDecision(score, score > g0) for score in scores]

    def _find(self) -> Path:
        from valuebench_harness.engine.hub import download_weights, local_folder

        name = self.settings.detector
        try:
            return local_folder(name) or download_weights(name, self.settings.revision, code=False)
        except UsageError as error:
            raise UsageError(
                f"The gate 'deberta' needs the value detector '{name}'. {error} "
                "A copy is named with --gate-set detector=FOLDER; --gate probe needs none."
            ) from None

    def _labels(self, value: str) -> list[int]:
        from valuebench_harness.steerers.gates.detector import LABELS

        more = BETWEEN.get(value, ()) if self.settings.labels == "all" else ()
        return [LABELS.index(label) for label in (*LABELS_OF[value], *more)]

    @cached_property
    def _detector(self) -> ValueDetector:
        import torch

        from valuebench_harness.steerers.gates.detector import ValueDetector

        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return ValueDetector.load(self.folder, accelerator or torch.device("cpu"))
