"""Steering as intervention: what changes when a value is pushed says which way its edges point.

Every change is paired: a role under a setting against the same role unsteered, so that whatever the
role brings with it cancels. Intervals resample roles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue
from scipy.stats import binomtest, false_discovery_control, norm

from valuebench_harness.causal.estimates import DRAWS, Estimate, cluster_counts, interval
from valuebench_harness.causal.graph import Edge, Mark, ValueGraph
from valuebench_harness.causal.steering import need_unsteered
from valuebench_harness.causal.table import UNSTEERED, FloatArray, OrientationTable
from valuebench_harness.errors import UsageError, unknown_name

SMALLEST = 0.1
"""Direct effects below a tenth of a unit for a unit are no edges: orientations are bounded and answers
yes or no, so a linear model is a little wrong everywhere, and enough roles would make anything differ from 0."""

FEW_ROLES = 5


class Target(BaseModel):
    """What a setting is aimed at.

    Attributes:
        value: the value it is to move.
        sign: +1 towards it, -1 away from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: str
    sign: int = 1


@dataclass(frozen=True, eq=False)
class Response:
    """What pushing some values does to all of them.

    Attributes:
        values: all values, in the order of the columns.
        targets: the values that were pushed, in the order of the rows.
        change: mean changes, ``[targets, values]``, in the direction of the target.
        samples: the same of bootstrapped roles, ``[draws, targets, values]``.
        roles: that were compared.
    """

    values: tuple[str, ...]
    targets: tuple[str, ...]
    change: FloatArray
    samples: FloatArray
    roles: int

    def total_effects(self) -> dict[str, dict[str, Estimate]]:
        """Change of each value for a unit of change of the one pushed, by pushed value."""
        place = [self.values.index(target) for target in self.targets]
        rows = np.arange(len(place))
        with np.errstate(divide="ignore", invalid="ignore"):
            point = self.change / self.change[rows, place][:, None]
            drawn = self.samples / self.samples[:, rows, place][:, :, None]
        return {
            target: {
                value: interval(float(point[row, column]), drawn[:, row, column], self.roles)
                for column, value in enumerate(self.values)
            }
            for row, target in enumerate(self.targets)
        }


def respond(table: OrientationTable, targets: Mapping[str, Target], seed: int = 0, draws: int = DRAWS) -> Response:
    """Mean changes by pushed value; settings with the same target are averaged, each times its sign.

    Args:
        table: with unsteered rows.
        targets: of the settings.
        seed: of the bootstrap.
        draws: bootstrap samples of roles.

    Raises:
        UsageError: an unknown setting or value, no unsteered rows, or fewer than five complete roles.
    """
    need_unsteered(table)
    table.only(settings=list(targets))
    for setting, target in targets.items():
        if target.value not in table.values:
            raise unknown_name("value", target.value, table.values, f"It is the target of setting '{setting}'.")
    pushed = tuple(value for value in table.values if any(t.value == value for t in targets.values()))
    if not pushed:
        raise UsageError("No setting has a target, so nothing is known to be pushed.")
    base = table.by_role(UNSTEERED, table.role_names)
    moved = np.stack(
        [
            np.mean(
                [
                    target.sign * (table.by_role(setting, table.role_names) - base)
                    for setting, target in targets.items()
                    if target.value == value
                ],
                axis=0,
            )
            for value in pushed
        ],
        axis=1,
    )
    moved = moved[~np.isnan(moved).any(axis=(1, 2))]
    if len(moved) < FEW_ROLES:
        raise UsageError(
            f"{table.source}: {len(moved)} roles have all orientations, unsteered and steered; {FEW_ROLES} are needed."
        )
    counts = cluster_counts(len(moved), draws, np.random.default_rng(seed)) / len(moved)
    samples = (counts @ moved.reshape(len(moved), -1)).reshape(draws, len(pushed), -1)
    return Response(table.values, pushed, moved.mean(axis=0), samples, len(moved))


def direct_effects(response: Response) -> tuple[FloatArray, FloatArray]:
    """What a unit of one pushed value adds to another directly, and bootstrap standard errors.

    Local response coefficients (Kholodenko et al. 2002, "Untangling the wires", PNAS 99, equation 9): a
    push of one value leaves the equations of all others as they are, so for a value w and every
    pushed value v other than w ``change[v, w] = sum_u B[w, u] change[v, u]``. The pushed values u other
    than w are as many as the equations, which are solved.

    Returns:
        ``[values, targets]``: effect of the target on the value (0 on itself), and its standard error.
    """
    effect = _local(response.change[None], response)[0]
    drawn = _local(response.samples, response)
    # Half the width between the 16th and 84th percentile: a nearly singular sample cannot blow it up.
    low, high = np.percentile(drawn, [100 * norm.cdf(-1), 100 * norm.cdf(1)], axis=0)
    return effect, (high - low) / 2


def _local(change: FloatArray, response: Response) -> FloatArray:
    """``[samples, values, targets]`` from changes ``[samples, targets, values]``."""
    columns = [response.values.index(target) for target in response.targets]
    out = np.zeros((len(change), len(response.values), len(columns)))
    for w in range(len(response.values)):
        others = [k for k, column in enumerate(columns) if column != w]
        if not others:
            continue
        left = change[:, others][:, :, [columns[k] for k in others]]
        right = change[:, others, w][:, :, None]
        out[:, w, others] = (np.linalg.pinv(left) @ right)[:, :, 0]
    return out


def graph_of_effects(response: Response, alpha: float = 0.05, smallest: float = SMALLEST) -> ValueGraph:
    """The graph of direct effects of the values that were pushed.

    Args:
        response: to pushes of known values.
        alpha: false discovery rate over all ordered pairs (Benjamini and Hochberg 1995).
        smallest: effects below it are no edges.

    Returns:
        Edges from pushed values; of two values that each have an effect on the other, the stronger one
        counts and the edge is marked ``<->``. An edge's ``stability`` is the share of bootstrap samples in
        which its effect has the sign found and at least the smallest size.
    """
    effect, error = direct_effects(response)
    drawn = _local(response.samples, response)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.nan_to_num(np.abs(effect) / error)
    pairs = [(w, k) for w, value in enumerate(response.values) for k, t in enumerate(response.targets) if value != t]
    adjusted = false_discovery_control([2 * norm.sf(z[pair]) for pair in pairs]) if pairs else []
    found = {
        (response.targets[k], response.values[w]): (w, k)
        for (w, k), p in zip(pairs, adjusted, strict=True)
        if p <= alpha and abs(effect[w, k]) >= smallest
    }
    edges = []
    for (cause, value), (w, k) in found.items():
        back = found.get((value, cause))
        if back is not None and abs(effect[back]) > abs(effect[w, k]):
            continue
        stable = np.mean((np.sign(drawn[:, w, k]) == np.sign(effect[w, k])) & (np.abs(drawn[:, w, k]) >= smallest))
        mark: Mark = "-->" if back is None else "<->"
        size = round(float(effect[w, k]), 3)
        edges.append(Edge(source=cause, target=value, mark=mark, stability=float(stable), effect=size))
    about: dict[str, JsonValue] = {
        "method": "interventions with known targets",
        "alpha": alpha,
        "smallest": smallest,
        "roles": response.roles,
        "pushed": list(response.targets),
        "total_effects": {
            target: {value: e.model_dump() for value, e in row.items()}
            for target, row in response.total_effects().items()
        },
    }
    return ValueGraph(nodes=response.values, edges=tuple(edges), about=about)


def orient_by_changes(
    graph: ValueGraph, table: OrientationTable, settings: Sequence[str], alpha: float = 0.05
) -> ValueGraph:
    """Turns edges by which values change without which, where it is not known what settings aim at.

    A setting that moves a cause moves its effects along; one that moves an effect leaves its causes. So
    the settings that move i should be among those that move j where i --> j. Of the settings that move
    one of the two only, a two-sided sign test asks whether they are mostly of one kind; edges for which it
    does not reject keep their mark. It presumes that an effect is passed on at a size that can be seen,
    and that settings rarely aim at both.

    Args:
        graph: observational.
        table: with unsteered rows.
        settings: steered settings.
        alpha: level of the sign test, and of the (false discovery controlled) test of each change.

    Raises:
        UsageError: an unknown setting, or no unsteered rows.
    """
    moved = significant_changes(table, settings, alpha)
    place = {value: n for n, value in enumerate(table.values)}
    edges = []
    for edge in graph.edges:
        first, second = moved[:, place[edge.source]], moved[:, place[edge.target]]
        alone, along = int((first & ~second).sum()), int((second & ~first).sum())
        p = binomtest(alone, alone + along).pvalue if alone + along else 1.0
        if p >= alpha:
            edges.append(edge)
        elif along > alone:
            edges.append(edge.model_copy(update={"mark": "-->"}))
        else:
            turned = {"source": edge.target, "target": edge.source, "mark": "-->", "direction_stability": None}
            edges.append(edge.model_copy(update=turned))
    return ValueGraph(nodes=graph.nodes, edges=tuple(edges), about={**graph.about, "turned_by": "changes"})


def orient_by_targets(
    graph: ValueGraph, response: Response, alpha: float = 0.05, smallest: float = SMALLEST
) -> ValueGraph:
    """Turns an observational graph's edges by pushes of known values, and drops those that no push confirms.

    Where i --> j, pushing i moves j and pushing j leaves i. So of the two total effects, each for a unit of
    change of the value pushed, the larger gives the direction. Pushes that are not clean, which move further
    values a little themselves, blur both effects and leave the larger one larger; a graph of direct effects
    alone (:func:`graph_of_effects`) would turn every blur into an edge.

    Args:
        graph: observational, best from unsteered rows.
        response: to pushes; edges with an end that was not pushed keep their marks.
        alpha: level at which the one effect must exceed the other in the bootstrap, two-sided; else the
            direction stays open.
        smallest: an edge of which neither effect reaches it is dropped, and named in the graph's ``about``.
    """
    at = {value: (row, response.values.index(value)) for row, value in enumerate(response.targets)}
    edges, dropped = [], []
    for edge in graph.edges:
        if edge.source not in at or edge.target not in at:
            edges.append(edge)
            continue
        ends = (edge.source, edge.target)
        forth, back = (_effect(response, at[a], at[b]) for a, b in (ends, ends[::-1]))
        if max(forth[0], back[0]) < smallest:
            dropped.append(f"{edge.source} {edge.mark} {edge.target}")
            continue
        cause, effect = ends if forth[0] >= back[0] else ends[::-1]
        stable = float(np.mean((forth > back)[1:] if forth[0] >= back[0] else (back > forth)[1:]))
        mark: Mark = "-->" if stable >= 1 - alpha / 2 else "---"
        changed = {"source": cause, "target": effect, "mark": mark, "direction_stability": stable}
        edges.append(edge.model_copy(update=changed))
    about: dict[str, JsonValue] = {**graph.about, "turned_by": "targets", "not_confirmed": list(dropped)}
    return ValueGraph(nodes=graph.nodes, edges=tuple(edges), about=about)


def _effect(response: Response, cause: tuple[int, int], effect: tuple[int, int]) -> FloatArray:
    """Size of the total effect of one pushed value on another: measured, then in each bootstrap sample."""
    row, own = cause
    with np.errstate(divide="ignore", invalid="ignore"):
        point = response.change[row, effect[1]] / response.change[row, own]
        drawn = response.samples[:, row, effect[1]] / response.samples[:, row, own]
    return np.asarray(np.abs(np.nan_to_num(np.concatenate([[point], drawn]))))


def significant_changes(table: OrientationTable, settings: Sequence[str], alpha: float) -> np.ndarray:
    """``[settings, values]``: whether a setting moves a value's mean over roles, false discoveries at ``alpha``."""
    need_unsteered(table)
    table.only(settings=settings)
    base = table.by_role(UNSTEERED, table.role_names)
    changes = np.array([table.by_role(setting, table.role_names) - base for setting in settings])
    known = (~np.isnan(changes)).sum(axis=1)
    centre = np.nansum(changes, axis=1) / np.maximum(known, 1)
    spread = np.sqrt(np.nansum((changes - centre[:, None]) ** 2, axis=1) / np.maximum(known - 1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(centre) / (spread / np.sqrt(known))
    # No spread: all roles moved alike, or none did.
    z = np.where(np.isnan(z) | (known < FEW_ROLES), 0.0, z)
    return np.asarray(false_discovery_control(2 * norm.sf(z).ravel()).reshape(z.shape) <= alpha)


def compare(observed: ValueGraph, pushed: ValueGraph) -> dict[str, JsonValue]:
    """What an interventional graph says of the edges of an observational one."""
    by_pair = {edge.pair: edge for edge in pushed.edges}
    said: dict[str, list[JsonValue]] = {"confirmed": [], "directed": [], "turned": [], "not found": [], "new": []}
    for edge in observed.edges:
        other = by_pair.pop(edge.pair, None)
        if other is None:
            kind = "not found"
        elif edge.mark != "-->":
            kind = "directed"
        else:
            kind = "confirmed" if (other.source, other.mark) == (edge.source, edge.mark) else "turned"
        said[kind].append(f"{(other or edge).source} {(other or edge).mark} {(other or edge).target}")
    said["new"] = [f"{edge.source} {edge.mark} {edge.target}" for edge in by_pair.values()]
    return {kind: list(edges) for kind, edges in said.items()}
