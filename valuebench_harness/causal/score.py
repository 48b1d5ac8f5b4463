"""Kang's protocol on two tables: what settings move, and what a graph foretells of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from valuebench_harness.causal.answers import AnswerConsistency
from valuebench_harness.causal.choices import Choice, choices
from valuebench_harness.causal.discover import PUBLISHED, discover
from valuebench_harness.causal.effects import Effects, effects, role_changes, setting_changes
from valuebench_harness.causal.estimates import Estimate
from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.causal.graph_files import onto
from valuebench_harness.causal.interventions import Target
from valuebench_harness.causal.steering import SteeringCell, need_unsteered, steering_table
from valuebench_harness.causal.table import UNSTEERED, OrientationTable, same_values
from valuebench_harness.errors import UsageError


class GraphEffects(BaseModel):
    """What a graph foretells of two ways of steering.

    Attributes:
        prompt: changes by role prompts, unsteered.
        sae: changes by the settings, such as SAE features.
    """

    model_config = ConfigDict(frozen=True)

    prompt: Effects
    sae: Effects


class Score(BaseModel):
    """Everything that ``vharness causal score`` reports.

    Attributes:
        train: where the training table is from.
        test: where the test table is from.
        values: of both.
        features: steered settings of the table of steering.
        graph_features: settings that the graph was found from and its effects were measured on.
        train_roles: roles in the training table, the empty one included.
        test_roles: roles in the test table.
        steering_table: by setting, then value.
        mean_similarity: of each setting: mean cosine over the values.
        noise_ratio: of each value: mean noise over the settings.
        choices: each value's best settings, and those aimed at it.
        graph: the graph that was scored.
        effects: of that graph.
        references: the same of other graphs, by name.
        reference_graphs: these graphs.
        answers: what single answers tell, where they were given.
    """

    model_config = ConfigDict(frozen=True)

    train: str
    test: str
    values: tuple[str, ...]
    features: tuple[str, ...]
    graph_features: tuple[str, ...]
    train_roles: int
    test_roles: int
    steering_table: dict[str, dict[str, SteeringCell]]
    mean_similarity: dict[str, Estimate]
    noise_ratio: dict[str, float | None]
    choices: dict[str, Choice]
    graph: ValueGraph
    effects: GraphEffects
    references: dict[str, GraphEffects]
    reference_graphs: dict[str, ValueGraph]
    answers: AnswerConsistency | None = None


def score(
    train: OrientationTable,
    test: OrientationTable,
    graph_features: Sequence[str] | None = None,
    sae_role: str | None = None,
    graph: ValueGraph | None = None,
    references: Mapping[str, ValueGraph] | None = None,
    baseline: str | None = None,
    targets: Mapping[str, Target] | None = None,
    seed: int = 0,
) -> Score:
    """Scores settings and a graph on held-out roles and questions.

    Args:
        train: orientations of the training roles.
        test: of the test roles.
        graph_features: settings that the graph is found from, beside the unsteered rows, and whose changes it
            is to foretell; default: all.
        sae_role: measure the changes by settings on this role alone, as published; default: on all roles.
        graph: to score; default: found in the training rows as the published pipeline does.
        references: other graphs, by name.
        baseline: role that changes by role prompts are against; default: the first named.
        targets: values that settings are aimed at, such as explicit instructions.
        seed: of bootstraps and permutations.

    Raises:
        UsageError: tables of different values; no unsteered rows; an unknown setting, role or node.
    """
    test = same_values(train, test)
    for rows in (train, test):
        need_unsteered(rows)
    features = tuple(s for s in train.setting_names if s != UNSTEERED)
    if not features:
        raise UsageError(f"{train.source}: every row is unsteered, so there is no setting to score.")
    for setting in features:
        if setting not in test.setting_names:
            raise UsageError(f"Setting '{setting}' of {train.source} is not in {test.source}.")
    chosen = tuple(graph_features) if graph_features is not None else features
    found_in = train.only(settings=(UNSTEERED, *chosen))
    found = discover(found_in, PUBLISHED) if graph is None else onto(graph, train.values, "to score")
    table = steering_table(train, test, features, seed)
    prompt, sae = role_changes(test, baseline), setting_changes(test, chosen, sae_role)

    def foretold(of: ValueGraph) -> GraphEffects:
        return GraphEffects(prompt=effects(prompt, of, seed), sae=effects(sae, of, seed))

    others = {name: onto(other, train.values, name) for name, other in (references or {}).items()}
    return Score(
        train=train.source,
        test=test.source,
        values=train.values,
        features=features,
        graph_features=chosen,
        train_roles=len(train.role_names),
        test_roles=len(test.role_names),
        steering_table=table.cells,
        mean_similarity=table.mean_similarity,
        noise_ratio=table.noise_ratio,
        choices=choices(train, test, features, targets or {}),
        graph=found,
        effects=foretold(found),
        references={name: foretold(other) for name, other in others.items()},
        reference_graphs=others,
    )
