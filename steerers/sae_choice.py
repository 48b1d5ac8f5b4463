"""Which features of a sparse autoencoder to steer: by number, from a table, by activation on a phrase, by effect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from valuebench_harness.data.orientations import Orientations, read_orientations
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, TokenScope
from valuebench_harness.engine.plan import EMPTY, Message, SteerPlan
from valuebench_harness.engine.rows import LoglikelihoodRow, TextRow
from valuebench_harness.errors import UsageError

if TYPE_CHECKING:
    from valuebench_harness.data.schemas import Demonstration
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.steerers.base import Direction, FitContext
    from valuebench_harness.steerers.sae import Settings
    from valuebench_harness.steerers.sae_weights import Matrix, Place, Sae

SIDES: tuple[Direction, Direction] = ("positive", "negative")

Numbers = NDArray[np.intp]
Rewrite = Callable[[tuple[Message, ...]], tuple[Message, ...]]


def choose(settings: Settings, sae: Sae, context: FitContext, rewrite: Rewrite) -> tuple[Numbers, NDArray[np.float64]]:
    """Features and signs for both directions.

    Args:
        settings: of the method.
        sae: to choose from.
        context: of the fit.
        rewrite: what the method does to messages before it steers.

    Returns:
        Numbers and signs, each ``[2, k]``, the positive direction first. A direction for which no feature
        was found has the sign 0.

    Raises:
        UsageError: no feature is found for either direction, or one is named that is not there.
    """
    s = settings
    if s.table is not None:
        found = from_table(read_orientations(s.table), context.value.id)
    elif s.named or s.select == "phrase":
        numbers = np.array(s.named or candidates(s, sae, context, 1))
        _check_numbers(sae, numbers)
        return np.stack([numbers, numbers]), np.stack([np.ones(len(numbers)), -np.ones(len(numbers))])
    else:
        found = _from_effects(s, sae, context, rewrite)
    if found == (None, None):
        raise UsageError(f"No feature of {sae.name} was found to move '{context.value.id}' either way.")
    numbers = np.array([[0 if number is None else number] for number in found])
    _check_numbers(sae, numbers)
    return numbers, np.array([[float(number is not None)] for number in found])


def from_table(table: Orientations, value: str) -> tuple[int | None, int | None]:
    """The settings of a table that raise and that lower a value best, as numbers of features.

    Raises:
        UsageError: the table lacks the value, or a setting is no number.
    """
    table.changes(value)  # a value that the table lacks is an error, a side without a setting is not

    def best(sign: int) -> int | None:
        try:
            setting = table.best_setting(value, sign)
        except UsageError:
            return None
        if not setting.isdecimal():
            raise UsageError(f"{table.path}: setting '{setting}' (steer_dim) is no number of a feature.")
        return int(setting)

    return best(1), best(-1)


def addition(place: Place, direction: FrozenArray, scope: TokenScope, coefficient: float) -> Intervention:
    """Adds a decoder direction where the autoencoder reads."""
    return Intervention(
        "add", place.layer, {"vector": direction}, site=place.site, scope=scope, coefficient=coefficient
    )


def candidates(settings: Settings, sae: Sae, context: FitContext, count: int) -> Numbers:
    """The features most active on the phrase, in the carrier's sentence: at most so many, the most active first.

    Raises:
        UsageError: no feature is active on it.
    """
    assert context.model is not None
    sentence = settings.carrier or f"It is about {settings.phrase.strip()}."
    return by_phrase(context.model, sae, sentence, settings.phrase, context.neutral)[:count]


def _from_effects(settings: Settings, sae: Sae, context: FitContext, rewrite: Rewrite) -> tuple[int | None, int | None]:
    """The candidates that raise and that lower the value most, by their effect on answers."""
    assert context.model is not None
    by_side = [[d for d in context.demonstrations if d.direction == side][: settings.probe_items] for side in SIDES]
    if not all(by_side):
        raise UsageError(
            f"There are no answers for and against '{context.value.id}' to measure the features' effect on "
            "(demonstrations). Name a feature, or use --set select=phrase."
        )
    numbers = candidates(settings, sae, context, settings.top)
    plans = [
        SteerPlan((addition(sae.place, FrozenArray(sae.decoder[n]), settings.token_scope, settings.probe_strength),))
        for n in numbers
    ]
    effects = by_effect(context.model, plans, [item for items in by_side for item in items], rewrite)
    raising, lowering = int(effects.argmax()), int(effects.argmin())
    return (
        int(numbers[raising]) if effects[raising] > 0 else None,
        int(numbers[lowering]) if effects[lowering] < 0 else None,
    )


def _check_numbers(sae: Sae, numbers: Numbers) -> None:
    bad = [int(n) for n in numbers.flat if n >= sae.n_features]
    if bad:
        raise UsageError(f"{sae.name} has {sae.n_features} features, 0 to {sae.n_features - 1}; there is no {bad[0]}.")


def reference_states(model: SteeredModel, sae: Sae, texts: Sequence[str]) -> Matrix:
    """States of ordinary texts where the autoencoder reads, ``[n_tokens, d]``.

    Each text stands after a BOS, where there is one, and its first token is left out: it draws attention
    whatever it says, with a norm many times that of the others.
    """
    rows = [TextRow(text) for text in texts]
    first = max(1, len(model.codec.leading_ids))
    found = model.capture(rows, [sae.place.layer], reduce="none", site=sae.place.site)
    return np.concatenate([states[first:, 0] for states in found])


def by_phrase(model: SteeredModel, sae: Sae, sentence: str, phrase: str, neutral: Sequence[str]) -> Numbers:
    """Features by their mean activation on the tokens of a phrase, the most active first.

    Kang et al. (ACL 2025, Section 3.1) take the 25 most active on "your values".

    Args:
        model: reads.
        sae: encodes.
        sentence: a user's message that holds the phrase.
        phrase: exactly as it stands in the sentence.
        neutral: ordinary texts, for the scale of the states.

    Raises:
        UsageError: the phrase is not in the rendered sentence, or no feature is active on it.
    """
    prompt = model.render([Message("user", sentence)])
    row = TextRow(prompt, special=not model.has_chat_template)
    scope = TokenScope("phrase", phrase)
    states = model.capture([row], [sae.place.layer], scope, reduce="none", site=sae.place.site)[0][:, 0]
    reference = reference_states(model, sae, neutral) if neutral else states
    active = sae.activations(sae.normalise(states, reference)).mean(axis=0)
    order = np.argsort(-active, kind="stable")
    if not active[order[0]] > 0:
        raise UsageError(f"No feature of {sae.name} is active on '{phrase}' in this model; name one (--set feature=).")
    return order[: int((active > 0).sum())]


def by_effect(
    model: SteeredModel,
    plans: Sequence[SteerPlan],
    demonstrations: Sequence[Demonstration],
    rewrite: Rewrite,
) -> NDArray[np.float64]:
    """How far each plan moves the model from answers against a value to answers for it.

    Args:
        model: scores.
        plans: of steering.
        demonstrations: prompts with answers for and against the value.
        rewrite: what the method does to messages before it steers.

    Returns:
        For each plan, the mean log-probability a token of favouring answers less that of opposing ones,
        and that difference's change from the unsteered model, in nats, ``[n_plans]``.
    """
    totals: dict[tuple[int, str], list[float]] = defaultdict(list)
    rows, owners = [], []
    for number, plan in enumerate((EMPTY, *plans)):
        for item in demonstrations:
            prompt = model.render(rewrite((Message("user", item.prompt),)))
            answer = item.answer if model.has_chat_template else f" {item.answer}"
            rows.append(LoglikelihoodRow(prompt, answer, plan, special=not model.has_chat_template))
            owners.append((number, item.direction))
    for index, scored in model.loglikelihoods(rows):
        totals[owners[index]].append(scored.logprob / scored.n_tokens)
    leaning = np.array([np.mean(totals[n, "positive"]) - np.mean(totals[n, "negative"]) for n in range(len(plans) + 1)])
    changes: NDArray[np.float64] = leaning[1:] - leaning[0]
    return changes
