"""One generation from start to end; the same call again goes on where it stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from valuebench_harness import __version__
from valuebench_harness.data.datasets import DataSet
from valuebench_harness.data.values import Value, ValueSystem
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.generate.ask import Asker, WriterSettings
from valuebench_harness.harness.generate.dilemmas import Dilemmas
from valuebench_harness.harness.generate.pairs import ControlledPairs, StraightforwardPairs, share
from valuebench_harness.harness.generate.prompts import Prompts
from valuebench_harness.harness.generate.recipe import BATCH, CHUNK, Recipe
from valuebench_harness.harness.generate.records import GenerationInfo, Kind, counted_reasons
from valuebench_harness.harness.generate.store import GenerationStore, write_system
from valuebench_harness.harness.progress import Reporter


@dataclass(frozen=True)
class Generation:
    """What to make.

    Attributes:
        kind: of items.
        system: value system.
        value: of the system.
        out: folder of the data set.
        wanted: number of items; ConVA uses 100 pairs and 100 questions a value.
        rounds: times that what is missing is asked for.
        seed: of the first round.
        settings: of the model that writes.
    """

    kind: Kind
    system: ValueSystem
    value: Value
    out: Path
    wanted: int = 100
    rounds: int = 3
    seed: int = 0
    settings: WriterSettings = field(default_factory=WriterSettings)


@dataclass(frozen=True)
class Outcome:
    """What was made.

    Attributes:
        info: how.
        items: file of the items.
        details: folder of replies and rejections.
        system: YAML file of the value system that reads the items; ``None`` where the user's own does.
        reasons: rejections by step and reason, most frequent first.
    """

    info: GenerationInfo
    items: Path
    details: Path
    system: Path | None
    reasons: list[tuple[str, int]]


def planned_requests(kind: Kind, n: int) -> int:
    """Requests of a first round in which nothing is rejected."""
    if kind == "dilemmas":
        return ceil(n / CHUNK) + ceil(n / BATCH) + n
    if kind == "pairs":
        return ceil(n / CHUNK) + 2 * sum(ceil(k / BATCH) for k in share(n).values()) + n
    return 2 * sum(ceil(k / CHUNK) for k in share(n).values())


def generate(generation: Generation, report: Reporter) -> Outcome:
    """Has a model write items, screens and checks them, and writes those that are left.

    Returns:
        Possibly with fewer items than wanted, where the rounds were not enough.

    Raises:
        UsageError: bad templates, a file of another origin in the way, a refused key, an unknown model.
        IncompleteError: the server is gone, the budget is spent, or nothing was accepted; replies are kept and not
            paid for again.
    """
    if generation.wanted < 1 or generation.rounds < 1:
        raise UsageError("The number of items and of rounds must be at least 1.")
    prompts = Prompts(generation.value, generation.settings.templates)
    digest = prompts.digest
    store = GenerationStore(generation.out, generation.kind, generation.value.id)
    store.claim()
    with store.lock(), store.steps_writer() as writer:
        asker = Asker(generation.settings, store.known(), writer, seed=generation.seed, report=report)
        recipe = _recipe(generation, prompts, asker)
        try:
            for turn in range(generation.rounds):
                if recipe.missing:
                    recipe.round(turn)
        finally:
            store.write_rejections(recipe.rejected)
        items, reasons = recipe.items(), counted_reasons(recipe.rejected)
        if not items:
            why = f"; most often: {reasons[0][0]}" if reasons else ""
            raise IncompleteError(
                f"Nothing of what {generation.settings.model} wrote was accepted{why}. See {store.folder}."
            )
        info = GenerationInfo(
            kind=generation.kind,
            value=generation.value.id,
            model=generation.settings.model,
            templates=digest,
            version=__version__,
            seed=generation.seed,
            wanted=generation.wanted,
            accepted=len(items),
            rejected=len(recipe.rejected),
            requests=len(asker.used),
            tokens=sum(exchange.tokens for exchange in asker.used.values()),
        )
        store.write_items(items, info)
    own = generation.system.data is not None and generation.system.data.resolve() == generation.out.resolve()
    system = None if own else write_system(generation.out, generation.system, generation.value)
    return Outcome(info, store.items_path, store.folder, system, reasons)


def _recipe(generation: Generation, prompts: Prompts, asker: Asker) -> Recipe:
    if generation.kind == "pairs":
        return ControlledPairs(prompts, asker, generation.wanted)
    if generation.kind == "pairs_straightforward":
        return StraightforwardPairs(prompts, asker, generation.wanted)
    return Dilemmas(prompts, asker, generation.wanted, _training(generation))


def _training(generation: Generation) -> list[str]:
    """Training texts that stand in the same folder."""
    data = DataSet(generation.system.name, generation.system, generation.out)
    value = generation.value.id
    pairs = data.pairs(value) if data.has("pairs", value) else []
    pairs += data.pairs(value, controlled=False) if data.has("pairs_straightforward", value) else []
    return [text for pair in pairs for text in (pair.positive, pair.negative)]
