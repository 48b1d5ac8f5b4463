"""Trains ``mini``: ``python -m valuebench_harness.mini.train --out FOLDER``.

About an hour on two cores. Each worker process runs one thread on its own rows and the gradients are
averaged: on a machine that does other work too, that is twice as fast as one process with two threads,
which wait for each other after every operation. The schedule depends on the number of steps, not on
the time; a step's rows depend on seed, step and worker alone. A killed training continues with ``--resume``.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import distributed
from torch.multiprocessing.spawn import spawn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from valuebench_harness.errors import UsageError
from valuebench_harness.mini.architecture import N_BLOCKS, WIDTH, new_model, train_tokenizer
from valuebench_harness.mini.batches import CATEGORIES, Batch, Packer, mixture_at
from valuebench_harness.mini.export import export
from valuebench_harness.mini.loss import InjectedModel, Loss
from valuebench_harness.mini.optimizer import Optimizer, Settings

ROWS, LENGTH = 16, 160
"""Of one worker's batch."""
WARM_UP_STEPS = 100
DECAY_FROM = 0.5
FINAL_RATE = 0.02
CHECKPOINT_EVERY = 500
TOKENIZER = "tokenizer"
LOG_EVERY = 100

log = logging.getLogger("mini.train")


@dataclass(frozen=True)
class Run:
    """What identifies a training run; a checkpoint of another run is refused."""

    seed: int
    steps: int
    workers: int


def rate_at(step: int, steps: int) -> float:
    """Factor on the learning rates: warm-up, constant, then linear to ``FINAL_RATE``."""
    progress = step / steps
    decay = 1.0 if progress < DECAY_FROM else (1 - progress) / (1 - DECAY_FROM)
    return min(1.0, (step + 1) / WARM_UP_STEPS) * max(FINAL_RATE, decay)


class Recorder:
    """Writes mean losses by category, every ``LOG_EVERY`` steps, to a file of JSON lines."""

    def __init__(self, path: Path, run: Run, first: int) -> None:
        self._path, self._run, self._first = path, run, first
        self._started = time.monotonic()
        self._clear()

    def _clear(self) -> None:
        self._sums = np.zeros((len(CATEGORIES), 2))
        self._states: list[tuple[float, float, float]] = []

    def add(self, done: int, batch: Batch, loss: Loss) -> None:
        """Counts the step that has just been done."""
        category = batch.category[:, 1:][loss.counted.numpy()]
        n = len(CATEGORIES)
        self._sums[:, 0] += np.bincount(category, loss.tokens.numpy(), minlength=n)
        self._sums[:, 1] += np.bincount(category, minlength=n)
        self._states.append((loss.revealed, loss.injected, loss.length))
        if done % LOG_EVERY == 0:
            self._write(done)
            self._clear()

    def _write(self, done: int) -> None:
        means = self._sums[:, 0] / np.maximum(self._sums[:, 1], 1)
        revealed, injected, length = np.mean(self._states, axis=0)
        losses = dict(zip(CATEGORIES, means, strict=True)) | {
            "state_revealed": revealed,
            "state_injected": injected,
            "length": length,
        }
        tokens = (done - self._first) * self._run.workers * ROWS * LENGTH
        line = json.dumps(
            {"step": done, "tokens_per_s": round(tokens / (time.monotonic() - self._started))}
            | {key: round(float(x), 4) for key, x in losses.items()}
        )
        with self._path.open("a") as lines:
            lines.write(line + "\n")
        log.info(line)


class Checkpoint:
    """Parameters, optimiser state and step of a run, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._model = folder / "model.safetensors"
        self._optimizer = folder / "optimizer.safetensors"
        self._progress = folder / "progress.json"

    def save(self, run: Run, step: int, model: LlamaForCausalLM, optimizer: Optimizer) -> None:
        """Writes beside the old files, then replaces them; ``progress.json`` goes last."""
        parameters = {name: p.detach().clone() for name, p in model.named_parameters()}
        for tensors, path in ((parameters, self._model), (optimizer.state, self._optimizer)):
            save_file(tensors, path.with_suffix(".new"), metadata={"step": str(step)})
        for path in (self._model, self._optimizer):
            path.with_suffix(".new").replace(path)
        self._progress.write_text(json.dumps({**asdict(run), "step": step}))

    def check(self, run: Run) -> int:
        """The number of steps done.

        Raises:
            UsageError: there is no checkpoint, or it belongs to another run.
        """
        if not self._progress.is_file():
            raise UsageError(f"No checkpoint in '{self._progress.parent}': start without --resume.")
        progress = json.loads(self._progress.read_text())
        done = int(progress.pop("step"))
        if progress != asdict(run):
            flags = " ".join(f"--{key} {x}" for key, x in progress.items())
            raise UsageError(f"'{self._progress.parent}' holds a run with {flags}: pass the same, or another --out.")
        return done

    def load(self, run: Run, model: LlamaForCausalLM, optimizer: Optimizer) -> int:
        """Restores a run and returns the step to go on with."""
        done = self.check(run)
        parameters = load_file(self._model)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(parameters[name])
        for name, tensor in load_file(self._optimizer).items():
            optimizer.state[name].copy_(tensor)
        return done


def _average_gradients(model: LlamaForCausalLM, workers: int) -> None:
    """Replaces each worker's gradients by their mean over all workers."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    distributed.all_reduce(flat)
    sizes = [g.numel() for g in gradients]
    for gradient, mean in zip(gradients, torch.split(flat / workers, sizes), strict=True):
        gradient.copy_(mean.view_as(gradient))


def _work(worker: int, run: Run, out: Path, resume: bool, rendezvous: str) -> None:
    """One worker's training; the first one logs, saves and exports."""
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    distributed.init_process_group("gloo", init_method=rendezvous, rank=worker, world_size=run.workers)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(out / TOKENIZER)

    @lru_cache(maxsize=50_000)
    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False))

    model = new_model(run.seed)
    optimizer = Optimizer(model, Settings())
    checkpoint = Checkpoint(out)
    first = checkpoint.load(run, model, optimizer) if resume else 0
    packer = Packer(encode, seed=f"{run.seed}:{worker}", rows=ROWS, length=LENGTH, n_blocks=N_BLOCKS, width=WIDTH)
    injected = InjectedModel(model)
    recorder = Recorder(out / "log.jsonl", run, first) if worker == 0 else None

    def batch_of(step: int) -> Batch:
        return packer.batch(step, mixture_at(step / run.steps))

    with ThreadPoolExecutor(1) as packing:
        coming = packing.submit(batch_of, first)
        for step in range(first, run.steps):
            batch = coming.result()
            coming = packing.submit(batch_of, step + 1)
            loss = injected.loss(batch)
            loss.total.backward()  # type: ignore[no-untyped-call]
            _average_gradients(model, run.workers)
            optimizer.step(rate_at(step, run.steps))
            if recorder is None:
                continue
            recorder.add(step + 1, batch, loss)
            if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == run.steps:
                checkpoint.save(run, step + 1, model, optimizer)
    if recorder is not None:
        export(model, tokenizer, out / "weights", asdict(run))
    distributed.destroy_process_group()


def train(run: Run, out: Path, resume: bool = False) -> None:
    """Trains a model and exports it to ``out/weights``.

    Args:
        run: seed, number of steps, number of worker processes of 16 x 160 tokens each.
        out: folder for checkpoints, ``log.jsonl`` and the exported model.
        resume: continue the run whose checkpoint is in ``out``.

    Raises:
        UsageError: nothing to resume, or another run's checkpoint.
    """
    out.mkdir(parents=True, exist_ok=True)
    if resume:
        Checkpoint(out).check(run)
    else:
        train_tokenizer().save_pretrained(out / TOKENIZER)
    with tempfile.TemporaryDirectory() as folder:
        rendezvous = (Path(folder) / "rendezvous").as_uri()
        spawn(_work, (run, out, resume, rendezvous), nprocs=run.workers)  # type: ignore[no-untyped-call]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m valuebench_harness.mini.train", description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000, help="optimiser steps (default: 10000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each (default: 2)")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints, log and weights")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    args = parser.parse_args()
    try:
        train(Run(args.seed, args.steps, args.workers), args.out, args.resume)
    except UsageError as error:
        parser.exit(error.exit_code, f"{error}\n")


if __name__ == "__main__":
    main()
