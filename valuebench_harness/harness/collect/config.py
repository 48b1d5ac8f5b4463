"""What is collected: the same keys on the command line and in Python."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from valuebench_harness.data.valuebench import TRAIN_SHARE
from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.harness.config import HOW_NOT_WHAT, Names, RunConfig
from valuebench_harness.harness.family import MINI
from valuebench_harness.harness.remote import REMOTE

ITEM_SHARE = 0.4
"""Share of the training items that a role answers under one setting (Kang et al., section 3.1)."""

TEST_SHARE = 0.2
"""Share of the roles that are kept for testing (25 of 125)."""

TOP = 24
"""SAE features of the published runs."""

TOKENS, THOUGHTFUL_TOKENS = 32, 96
"""Longest answer on ``mini``, whose thoughts are one clause, and on other models."""


class CollectConfig(BaseModel):
    """What is collected.

    Attributes:
        run: the model, how it is asked and judged, and the values to steer (``values``; ``None``: all that fit).
        questions: ``valuebench``, ``mini``, ``schwartz`` or the YAML file of one's own value system;
            ``None``: ``mini``'s own on ``mini``, else ValueBench's.
        measured: values to measure; ``None`` for all that have enough items.
        steerers: methods by name, each a setting a value, direction and strength; a suffix such as ``-positive``
            pins the direction.
        features: numbers of SAE features, each a setting; or ``top:24``, the most active on the method's phrase.
        roles: how many, the empty one not counted.
        test_roles: how many of them are for testing; ``None``: a fifth. Without any, all items are for training.
        train_share: share of each value's items that the training roles are asked.
        item_share: share of those that one role answers under one setting.
        same_items: a role answers the same items under every setting. Kang et al. draw anew for each role and
            setting; the same items make changes under steering less noisy.
        score: ``answers`` has the model write a thought and an answer; ``probability`` reads how likely yes, no
            and unsure are, without sampling noise.
        judge_thoughts: judge thoughts apart from answers, for their agreement (Table 2).
        template: folder with ``system.txt`` and ``user.txt`` of one's own.
        oracle: answer from ``mini``'s planted causal model instead of the network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: RunConfig
    questions: str | None = None
    measured: Names = None
    steerers: Names = None
    features: Names = None
    roles: int = Field(125, ge=1)
    test_roles: int | None = Field(None, ge=0)
    train_share: float = Field(TRAIN_SHARE, gt=0, lt=1)
    item_share: float = Field(ITEM_SHARE, gt=0, le=1)
    same_items: bool = False
    score: Literal["answers", "probability"] = "answers"
    judge_thoughts: bool = False
    template: Path | None = None
    oracle: bool = False

    @property
    def is_mini(self) -> bool:
        """Whether the built-in model is asked."""
        return self.run.model == MINI

    @property
    def source(self) -> str:
        """Where the questions are from."""
        return (self.questions or (MINI if self.is_mini else "valuebench")).strip()

    @property
    def top(self) -> int | None:
        """How many SAE features are chosen on the model; ``None`` where none are.

        Raises:
            UsageError: where it is no number above 0, or stands beside features by number.
        """
        if not any(name.lower().startswith("top") for name in self.features or ()):
            return None
        found = re.fullmatch(r"top(?::(\d+))?", ",".join(self.features or ()), re.IGNORECASE)
        count = int(found.group(1) or TOP) if found else 0
        if count < 1:
            raise UsageError(
                f"--features takes numbers (1312,1975), or the most active ones by themselves (top, top:{TOP}); "
                f"'{','.join(self.features or ())}' is neither."
            )
        return count

    @property
    def n_test_roles(self) -> int:
        """Roles kept for testing."""
        return round(self.roles * TEST_SHARE) if self.test_roles is None else self.test_roles

    def what(self) -> dict[str, Any]:
        """The keys that decide which answers are collected."""
        return self.model_dump(mode="json", exclude={"run": set(HOW_NOT_WHAT), "judge_thoughts": True})


def make_collect_config(run: RunConfig, **values: Any) -> CollectConfig:
    """A validated configuration.

    Raises:
        UsageError: for an unknown key, a value of the wrong kind, or keys that do not fit each other.
    """
    if "max_new_tokens" not in run.model_fields_set:
        run = run.model_copy(update={"max_new_tokens": TOKENS if run.model == MINI else THOUGHTFUL_TOKENS})
    for key in values:
        if key not in CollectConfig.model_fields:
            raise unknown_name("key", key, CollectConfig.model_fields)
    try:
        config = CollectConfig.model_validate({"run": run, **values})
    except ValidationError as error:
        first = error.errors()[0]
        key = "--" + str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"{key}: {first['msg'].removeprefix('Value error, ')} (got {first['input']!r}).") from error
    if config.roles - config.n_test_roles < 2:
        raise UsageError(
            f"{config.roles} roles with {config.n_test_roles} for testing leave fewer than 2 to learn from "
            "(--roles, --test-roles)."
        )
    if config.is_mini and config.source != MINI:
        raise UsageError(f"mini reads its own grammar only, not the questions of '{config.source}' (--questions).")
    if config.oracle and not config.is_mini:
        raise UsageError("--oracle answers from mini's planted causal model: it goes with --model mini only.")
    if config.oracle and config.top is not None:
        raise UsageError("--oracle has no hidden states to choose features by: name them (--features 1312,1975).")
    if run.model.startswith(REMOTE) and config.score == "probability":
        raise UsageError(f"--score probability needs the model itself; {run.model} is behind a server.")
    if config.is_mini and config.template is not None:
        raise UsageError("mini is asked in its own grammar, which has no template to replace (--template).")
    if config.score == "probability" and run.n_samples > 1:
        raise UsageError("--score probability has no sampling noise: --n-samples goes with --score answers.")
    return config
