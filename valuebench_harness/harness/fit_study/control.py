"""Control success by number of training pairs: the method fitted again on fewer, and asked the value's dilemmas.

ConVA's Appendix B: with 80% of the pairs some values lose nothing and others 13 to 40 points.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from valuebench_harness.engine.plan import Message
from valuebench_harness.engine.rows import GenerationRow
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.documents import make_documents
from valuebench_harness.harness.fit_study.records import SizePoint
from valuebench_harness.harness.fitting import some_pairs
from valuebench_harness.judges.base import JudgeItem, RuleJudge
from valuebench_harness.judges.registry import make_judge
from valuebench_harness.metrics.rates import rate
from valuebench_harness.steerers.base import SteerRequest

if TYPE_CHECKING:
    from valuebench_harness.harness.fitting import Fitter
    from valuebench_harness.harness.records import Document
    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.base import FitContext, Steerer

SHARES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
MOST_ITEMS = 48
NEW_TOKENS = 32


def control_by_size(
    steerer: Steerer[Any], fitter: Fitter, value: str, strength: float, layers: tuple[int, ...] | None
) -> tuple[SizePoint, ...]:
    """Control success in the positive direction, without a gate, after fits on more and more pairs.

    The pairs of a smaller fit are among those of a larger one. A size at which the method says that it
    cannot be fitted is left out.

    Args:
        steerer: fits and plans.
        fitter: of the model and its data.
        value: id of the value.
        strength: of steering, the same at all sizes.
        layers: asked for; ``None`` for the method's own choice.

    Raises:
        UsageError: where the family's judge is not one that works by rule.
    """
    judge = make_judge(fitter.family.judge, {})
    if not isinstance(judge, RuleJudge):
        raise UsageError(f"Control by size takes a judge that works by rule, not '{judge.name}'.")
    documents, _ = make_documents([f"{fitter.family.data.name}_{value}"], fitter.family, split="test", limit=MOST_ITEMS)
    context = fitter.context(value, layers)
    points = []
    for size in sorted({max(2, round(share * len(context.pairs))) for share in SHARES}):
        fewer = replace(context, pairs=some_pairs(context.pairs, size, fitter.seed))
        try:
            artifact = _fit(steerer, fewer)
        except UsageError:
            continue  # no layer is accurate enough, say
        answers = _answers(steerer, artifact, fitter, context, documents, strength)
        verdicts = [judge.verdict(_item(d, a)).label for d, a in zip(documents, answers, strict=True)]
        outcomes = [None if label is None else label == "yes" for label in verdicts]
        points.append(SizePoint(pairs=size, rate=rate(outcomes, [d.id for d in documents])))
    return tuple(points)


def _fit(steerer: Steerer[Any], context: FitContext) -> Artifact | None:
    if steerer.parts:
        return steerer.join([_fit(part, context) for part in steerer.parts])
    return steerer.fit(context)


def _answers(
    steerer: Steerer[Any],
    artifact: Artifact | None,
    fitter: Fitter,
    context: FitContext,
    documents: list[Document],
    strength: float,
) -> list[str]:
    model = fitter.model
    rows = []
    for document in documents:
        request = SteerRequest(
            messages=(Message("user", document.text),),
            value=context.value,
            direction="positive",
            strength=strength,
            shape=fitter.shape,
            wording=fitter.family.wording(context.value),
        )
        steered = steerer.plan(request, artifact)
        prompt = model.render(steered.messages)
        rows.append(GenerationRow(prompt, steered.plan, NEW_TOKENS, special=not model.has_chat_template))
    found = dict(model.generate(rows))
    return [found[i].text for i in range(len(rows))]


def _item(document: Document, answer: str) -> JudgeItem:
    return JudgeItem(
        asks="csr",
        prompt=document.text,
        answer=answer,
        value=document.value or "",
        options=(document.options[0], document.options[1]) if len(document.options) == 2 else None,
        favours=document.favours,
        yes=document.yes,
    )
