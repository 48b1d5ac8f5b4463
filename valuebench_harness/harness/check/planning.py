"""Checks on plans as data: valid, the same each time, the same after a way through JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

from valuebench_harness.engine.intervention import ScopeKind
from valuebench_harness.engine.kinds import kind
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.steering import check_plan
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.check.foreign import in_words
from valuebench_harness.harness.check.observe import observe
from valuebench_harness.harness.check.outcome import Outcome, failed, not_applicable, passed, verdict
from valuebench_harness.harness.check.subject import BrokenSteererError

if TYPE_CHECKING:
    from valuebench_harness.harness.check.subject import Subject


def check_plans(subject: Subject) -> Outcome:
    """Plans hold interventions that the model takes, at layers that the artifact declares.

    A fault looks like this: a vector of another width; a layer that does not exist; a layer beside the
    one that was fitted (off by one); a token scope other than the setting ``scope`` says.
    """
    for messages in subject.prompts:
        steered = subject.plan(messages)
        try:
            check_plan(steered.plan, subject.model.layout)
            subject.model.render(steered.messages)
        except UsageError as error:
            raise BrokenSteererError(f"the model does not take the plan: {error}") from error
    if not subject.acts_inside:
        rewritten = sum(subject.plan(m).messages != m for m in subject.prompts)
        return passed(f"{rewritten} of {len(subject.prompts)} prompts are rewritten, states are left alone")
    declared = set(subject.artifact.meta.layers) if subject.artifact is not None else set()
    strange = [layer for layer in subject.layers if declared and layer not in declared]
    if strange:
        return failed(f"the plan acts at layer {strange[0]}, the artifact declares {sorted(declared)}")
    scope = getattr(subject.steerer.settings, "scope", None)
    scopes = {i.scope.kind for i in subject.interventions}
    if scope in get_args(ScopeKind) and scopes and scopes != {scope}:
        return failed(f"the setting 'scope' says '{scope}', the plan {', '.join(sorted(scopes))}")
    n_adapters = len({a.adapter for m in subject.prompts for a in subject.plan(m).plan.active_adapters})
    words = [f"interventions at layers {', '.join(map(str, subject.layers))}"] if subject.layers else []
    words += [f"{n_adapters} weight adapter{'s' * (n_adapters > 1)}"] if n_adapters else []
    return passed(" and ".join(words), interventions=len(subject.interventions))


def check_deterministic(subject: Subject) -> Outcome:
    """The same request and artifact give the same plan, whatever was asked before, and in a new steerer.

    A fault looks like this: a random vector drawn in ``plan()``; a counter or a running mean on the
    steerer; a plan that depends on the order of a set.
    """
    first = {messages: subject.plan(messages) for messages in subject.prompts}
    fresh = subject.fresh()
    for name, steerer, prompts in (
        ("asked again, in another order,", subject.steerer, list(reversed(subject.prompts))),
        ("a new steerer", fresh, subject.prompts),
    ):
        for messages in prompts:
            again = subject.ask(steerer, subject.request(messages), subject.artifact)
            if again.messages != first[messages].messages:
                return failed(f"{name} it rewrites a prompt differently")
            if again.plan.digest != first[messages].plan.digest:
                return failed(f"{name} it plans differently: {_difference(first[messages].plan, again.plan)}")
    return passed(f"{len(first)} requests, three times each, in two orders and two steerers")


def check_serialisable(subject: Subject) -> Outcome:
    """A plan that went through JSON is equal and steers alike; it holds no code.

    A fault looks like this: a number of numpy's where JSON knows Python's only; a kind of intervention that
    ``plan()`` registers anew each time, its vector in a closure; one whose function remembers what it saw.
    """
    if not subject.acts_inside:
        return not_applicable("its plans are empty: it rewrites the prompt only")
    row = next(row for row in subject.rows if not row.plan.is_empty)
    try:
        text = row.plan.to_json()
        back = SteerPlan.from_json(text)
        hash(row.plan)
    except Exception as error:
        return failed(f"a plan cannot be written to JSON and read back: {in_words(error)}")
    if back.digest != row.plan.digest or json.loads(back.to_json()) != json.loads(text):
        return failed("a plan comes back from JSON as another one")
    code = {one.kind: kind(one.kind).apply for one in row.plan.active}
    subject.ask(subject.steerer, subject.request(subject.prompts[0]), subject.artifact)
    changed = [name for name, apply in code.items() if kind(name).apply is not apply]
    if changed:
        return failed(f"plan() registers the kind '{changed[0]}' anew: register it once, and plan its parameters")
    same = observe(subject.model, [row.under(back)])[0].equals(observe(subject.model, [row])[0])
    words = f"{len(text) / 1000:,.0f} kB of JSON, {'the same states bit for bit' if same else 'but other states'}"
    return verdict(same, words, bytes=len(text))


def _difference(first: SteerPlan, second: SteerPlan) -> str:
    a, b = first.interventions, second.interventions
    if len(a) != len(b):
        return f"{len(a)} interventions, then {len(b)}"
    for one, other in zip(a, b, strict=True):
        if one.digest == other.digest:
            continue
        names = [n for n in one.params if n not in other.params or one.params[n] != other.params[n]]
        what = f"parameter '{names[0]}'" if names else "layer, scope or coefficient"
        return f"{what} of '{one.kind}' at layer {one.layer}"
    return "its weight adapters"
