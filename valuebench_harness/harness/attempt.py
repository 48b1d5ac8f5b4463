"""One question, answered by the base and by every steered condition, without a run."""

from __future__ import annotations

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.generation import generate
from valuebench_harness.harness.plan import make_method, plan_for, steered_specs
from valuebench_harness.harness.preparation import prepare
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.records import Document, Sample
from valuebench_harness.harness.session import load_run_model


def attempt(config: RunConfig, prompt: str) -> list[Sample]:
    """Answers a question under the base and under every steered condition of a configuration.

    Returns:
        Samples, the base's first.

    Raises:
        UsageError: for bad input, an empty prompt among it.
    """
    if not prompt.strip():
        raise UsageError("The prompt is empty: write a question, such as 'Should I take the risk?'.")
    family = family_of(config)
    method, specs = make_method(config), steered_specs(config, family)
    document = Document(id="prompt", task="try", kind="dilemma", value=specs[0].terms[0][0], text=prompt)
    plan = plan_for(config, family, method, specs, [document])
    model, cache = load_run_model(config), Cache()
    prepared = prepare(plan, model, cache, Reporter(quiet=True))
    asks = prepared.asker.ask(plan.cells)
    samples: dict[str, Sample] = {}
    generate(
        asks,
        model=model,
        config=config,
        cache=cache,
        steerer=plan.steerer,
        write=lambda found: samples.update({s.key: s for s in found}),
        advance=lambda _steps=1: None,
    )
    return [samples[a.sample_key] for a in asks]
