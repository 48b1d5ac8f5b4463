"""How fast is the openai judge, and how good are the judges that need no server?

    python -m benchmarks.judging

A server on loopback, a process of its own, answers each request after 50 ms; 1,000 distinct answers are judged
through the judging stage, cache and store included. Then `mini`'s answers, whole and broken, are judged by
`option-match` and `reference-lm` against the oracle. All answers are to dilemmas of the select half.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from sklearn.metrics import cohen_kappa_score, roc_auc_score

from tests.judges import test_local_judges as local
from tests.support.chat_server import ChatServer, Reply
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.judging import judge_all
from valuebench_harness.harness.store import RunStore
from valuebench_harness.judges.base import JudgeItem
from valuebench_harness.judges.grammar import Grammar
from valuebench_harness.judges.openai import OpenAIJudge, OpenAISettings
from valuebench_harness.judges.option_match import OptionMatch
from valuebench_harness.judges.reference_lm import ReferenceLM

DELAY = 0.05


class Taken(NamedTuple):
    """What judging took, in seconds: by the clock, and of this process's own work."""

    wall: float
    cpu: float


def taken(n: int, concurrency: int, url: str) -> Taken:
    """Judges ``n`` answers at a server."""
    items = [(f"base|d{i}|0", JudgeItem(asks="csr", prompt="Wait?", answer=f"Answer {i}.")) for i in range(n)]
    with tempfile.TemporaryDirectory() as name:
        judge = OpenAIJudge(OpenAISettings(base_url=url, concurrency=concurrency))
        store, cache = RunStore(Path(name) / "run"), Cache(Path(name) / "cache.sqlite")
        wall, cpu = time.perf_counter(), time.process_time()
        with store.verdicts_writer() as writer:
            judge_all(items, judge=judge, cache=cache, writer=writer, advance=lambda _steps=1: None)
        found = Taken(time.perf_counter() - wall, time.process_time() - cpu)
        assert len(store.verdicts(judge.identity)) == n
    return found


@contextmanager
def server() -> Iterator[str]:
    """Address of a server that takes 50 ms a request and none of this process's time."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield str(ours.recv())
    finally:
        ours.send(None)
        process.join()


def _serve(parent: Connection) -> None:
    with ChatServer(lambda *_: Reply(delay=DELAY)).running() as running:
        parent.send(running.url)
        parent.recv()


def main() -> None:
    """Prints time and agreement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    os.environ.setdefault("OPENAI_API_KEY", "none")
    with server() as url:
        taken(16, 16, url)  # imports the client
        for concurrency in (16, 32):
            walls, cpus = zip(*(taken(1_000, concurrency, url) for _ in range(repeats)), strict=True)
            print(
                f"1,000 judgments at 50 ms, {concurrency} at once: median {statistics.median(walls):.2f} s "
                f"({min(walls):.2f} to {max(walls):.2f}), CPU {statistics.median(cpus):.2f} s "
                f"({min(cpus):.2f} to {max(cpus):.2f}); the server alone takes {1_000 * DELAY / concurrency:.2f} s"
            )
    oracle, rules, rng = Grammar(), OptionMatch(), random.Random(0)
    pairs = [(oracle.verdict(i).label, rules.verdict(i).label) for i in local.answers()]
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    kappa = cohen_kappa_score(*zip(*both, strict=True))
    print(f"option-match against the oracle: kappa {kappa:.3f} on {len(both)} of {len(pairs)} answers that both score")
    whole = [i for i in local.answers() if oracle.verdict(local.item_fr(i)).label == "fluent"]
    wrong = [local.item_fr(i, local.broken(i.answer, rng)) for i in whole]
    wrong = [i for i in wrong if oracle.verdict(i).label == "broken"]
    scores = [f.perplexity for items in (whole, wrong) for f in ReferenceLM().measure(items)]
    auc = roc_auc_score([0] * len(whole) + [1] * len(wrong), scores)
    print(f"reference-lm, {len(wrong)} broken against {len(whole)} whole answers: AUC {auc:.3f}")


if __name__ == "__main__":
    main()
