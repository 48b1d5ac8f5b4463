"""The settings a collection compares: unsteered, SAE features, methods that steer a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from valuebench_harness.data.values import ValueSystem
from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.harness.collect.config import CollectConfig
from valuebench_harness.harness.collect.questions import Questionnaire
from valuebench_harness.harness.collect.records import UNSTEERED, Setting
from valuebench_harness.harness.conditions import shipped_strength
from valuebench_harness.harness.family import Family
from valuebench_harness.harness.fitting import learns
from valuebench_harness.harness.records import BASE
from valuebench_harness.harness.remote import REMOTE, refuse_activations
from valuebench_harness.steerers import sae
from valuebench_harness.steerers.registry import NO_GATE, make_steerer, split_direction

if TYPE_CHECKING:
    from valuebench_harness.steerers.base import Direction, Steerer


@dataclass(frozen=True)
class Methods:
    """The settings, and the methods behind them.

    Attributes:
        settings: the unsteered one first.
        steerers: by setting; the unsteered one has none.
        systems: of the value a setting steers, by setting.
        chooser: the method whose features are still to be chosen on the model, each then a setting.
    """

    settings: tuple[Setting, ...]
    steerers: Mapping[str, Steerer[Any]]
    systems: Mapping[str, ValueSystem]
    chooser: sae.SAE | None = None


def make_settings(
    config: CollectConfig, family: Family, questionnaire: Questionnaire, chosen: Sequence[int] | None = None
) -> Methods:
    """All settings of a configuration.

    A method that learns steers the values it has training pairs for, an instruction any value that is measured.
    Gates are not used: a questionnaire asks about values, and an intervention that comes and goes by prompt is none.

    Args:
        config: of the collection.
        family: of the model.
        questionnaire: whose values instructions steer.
        chosen: features that were chosen on the model, where the configuration names none.

    Raises:
        UsageError: for an unknown method, value, feature or setting, or a strength the method cannot take.
    """
    settings: dict[str, Setting] = {UNSTEERED.id: UNSTEERED}
    steerers: dict[str, Steerer[Any]] = {}
    systems: dict[str, ValueSystem] = {}
    features = config.features or () if config.top is None else tuple(map(str, chosen or ()))
    made = [*_features(features, config, family), *_steered(config, family, questionnaire)]
    for setting, steerer, system in made:
        if config.run.model.startswith(REMOTE):
            refuse_activations(steerer, NO_GATE, learns=learns(steerer))
        if setting.id in settings:
            raise UsageError(f"The setting '{setting.id}' comes twice (--steerers, --features).")
        settings[setting.id], steerers[setting.id], systems[setting.id] = setting, steerer, system
    chooser = _chooser(config) if config.top is not None and chosen is None else None
    return Methods(tuple(settings.values()), steerers, systems, chooser)


def _chooser(config: CollectConfig) -> sae.SAE:
    own = make_steerer(sae.SAE.name, dict(config.run.settings))
    assert isinstance(own, sae.SAE)
    if own.settings.named or own.settings.table is not None:
        raise UsageError("--features top chooses the features: leave feature, features and table out of --set.")
    for strength in config.run.strength or ():
        own.check_strength(strength)
    if config.run.model.startswith(REMOTE):
        refuse_activations(own, NO_GATE, learns=True)
    return own


def _features(
    features: Sequence[str], config: CollectConfig, family: Family
) -> Iterator[tuple[Setting, Steerer[Any], ValueSystem]]:
    for feature in features:
        if not feature.isdecimal():
            raise UsageError(f"--features takes numbers of SAE features, such as 1312,1975; '{feature}' is none.")
        own: dict[str, Any] = {**config.run.settings, "feature": int(feature)}
        steerer = make_steerer(sae.SAE.name, own)
        for strength in config.run.strength or (steerer.default_strength,):
            steerer.check_strength(strength)
            several = len(config.run.strength or ()) > 1
            name = f"{feature}@{strength:.10g}" if several else feature
            yield Setting(id=name, steerer=sae.SAE.name, strength=strength, settings=own), steerer, family.data.system


def _steered(
    config: CollectConfig, family: Family, questionnaire: Questionnaire
) -> Iterator[tuple[Setting, Steerer[Any], ValueSystem]]:
    for text in config.steerers or ():
        name, pinned = split_direction(text)
        if name.lower() == BASE.steerer:
            raise UsageError("'base' is the unsteered model, which is always among the settings (--steerers).")
        # The settings of --set belong to the SAE where features are named, and to the methods elsewhere.
        own = {} if config.features else dict(config.run.settings)
        steerer = make_steerer(name, own)
        system = family.data.system if learns(steerer) else questionnaire.system
        directions: tuple[Direction, ...] = (pinned,) if pinned else ("positive", "negative")
        for value in _values(config, steerer, system):
            for strength in config.run.strength or (shipped_strength(config.run.model, steerer, value),):
                steerer.check_strength(strength)
                for direction in directions:
                    mark = "+" if direction == "positive" else "-"
                    setting = Setting(
                        id=f"{steerer.name}:{value}:{mark}{strength:.10g}",
                        steerer=name,
                        value=value,
                        column=questionnaire.columns.get(value),
                        direction=direction,
                        strength=strength,
                        settings=own,
                    )
                    yield setting, steerer, system


def _values(config: CollectConfig, steerer: Steerer[Any], system: ValueSystem) -> list[str]:
    if config.run.values is None:
        return list(system.ids)
    for name in config.run.values:
        if name not in system:
            raise unknown_name(f"value that '{steerer.name}' can steer here", name, system.ids)
    return list(dict.fromkeys(system.get(name).id for name in config.run.values))
