"""SAE features that are chosen on the model: the most active on the tokens of the method's phrase."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from valuebench_harness.harness.chat_model import whole_model
from valuebench_harness.harness.collect.store import CollectStore
from valuebench_harness.harness.fitting import Fitter
from valuebench_harness.steerers.states import States

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valuebench_harness.harness.chat_model import AnyModel
    from valuebench_harness.harness.collect.plan import CollectPlan


def choose_features(plan: CollectPlan, model: AnyModel) -> tuple[int, ...]:
    """The features of an unsettled plan, the most active first (Kang et al., ACL 2025, Section 3.1).

    Raises:
        UsageError: the autoencoder cannot be read or is another model's, or no feature is active on the phrase.
    """
    config, chooser = plan.config, plan.methods.chooser
    assert chooser is not None
    assert config.top is not None
    whole = whole_model(model, "'sae'")
    states = States(whole, config.run.batch_size)
    fitter = Fitter(whole, plan.family, states, config.run.context_controlled, config.run.seed)
    # The choice is about a phrase, not about a value; a context is of one all the same.
    context = fitter.context(plan.family.data.system.ids[0], config.run.layers)
    return chooser.most_active(context, config.top)


def few_features(plan: CollectPlan, features: Sequence[int]) -> str:
    """Says that fewer features are active than were asked for."""
    return f"Only {len(features)} features are active on '{phrase(plan)}', of the {plan.config.top} asked for."


def phrase(plan: CollectPlan) -> str:
    """The phrase of an unsettled plan's method."""
    assert plan.methods.chooser is not None
    return plan.methods.chooser.settings.phrase.strip()


def known_features(plan: CollectPlan, folder: Path) -> tuple[int, ...]:
    """The features that an earlier session chose for the same collection; none where none did."""
    store = CollectStore(folder)
    if not store.exists:
        return ()
    info = store.info()
    return info.features if info.plan_hash == plan.plan_hash else ()
