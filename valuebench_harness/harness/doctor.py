"""What would fail on this machine, found before it does. Each check is a record; the command line prints them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from valuebench_harness.data.sources import home
from valuebench_harness.errors import UsageError

DISTRIBUTION = "valuebench-harness"
GIGABYTE = 10**9
LOW_DISK = 2 * GIGABYTE
"""Free bytes below which long runs are likely to fill the disk."""

EXTRAS = {
    "causal": "causal discovery and graph distances",
    "plots": "figures",
    "quantization": "models loaded in 8 or 4 bits",
    "ray": "evaluations side by side (vharness leaderboard --workers)",
    "sae": "features of sparse autoencoders",
    "sft": "methods that fine-tune (LoRA)",
    "test": "the project's own tests",
}
"""Optional parts of the package and what they unlock."""

KEYS = {
    "OPENAI_API_KEY": "needed by --judge openai, unless the server asks for none",
    "OPENAI_BASE_URL": "an OpenAI-compatible server other than OpenAI's",
    "HF_TOKEN": "needed for gated and private models",
}
"""Variables that hold secrets or addresses: whether they are set is said, never what they hold."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: of the thing.
        level: ``ok``; ``warn`` where something is missing that most runs do without; ``fail``.
        found: what is there.
        advice: what to do; empty where nothing is to be done.
    """

    name: str
    level: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def examine() -> Iterator[Check]:
    """All checks, the quick ones first; none of them goes online or changes anything."""
    probes: tuple[Callable[[], Iterator[Check]], ...] = (
        _python,
        _packages,
        _extras,
        _folders,
        _keys,
        _device,
        _models,
        _data,
        _mini,
    )
    for probe in probes:
        try:
            yield from probe()
        except Exception as error:  # a broken installation may fail in any way, and saying so is the point
            text = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
            yield Check(probe.__name__.strip("_"), "fail", text, "Install the package again in a fresh environment.")


def _python() -> Iterator[Check]:
    needed = importlib.metadata.metadata(DISTRIBUTION)["Requires-Python"]
    fits = SpecifierSet(needed).contains(platform.python_version(), prereleases=True)
    advice = "" if fits else f"Use a Python {needed}."
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()} ({sys.prefix})"
    yield Check("python", "ok" if fits else "fail", found, advice)


def _requirements() -> list[Requirement]:
    return [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or ()]


def _state(requirement: Requirement) -> tuple[str | None, bool]:
    """The installed version, and whether it is what the package needs."""
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return None, False
    return version, requirement.specifier.contains(version, prereleases=True)


def _packages() -> Iterator[Check]:
    good = []
    for requirement in _requirements():
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        version, fits = _state(requirement)
        if fits:
            good.append(f"{requirement.name} {version}")
            continue
        advice = f"pip install '{requirement.name}{requirement.specifier}'"
        yield Check(f"package {requirement.name}", "fail", version or "not installed", advice)
    yield Check("packages", "ok", ", ".join(good))


def _extras() -> Iterator[Check]:
    for extra, unlocks in EXTRAS.items():
        wanted = [
            r
            for r in _requirements()
            if r.marker is not None and r.marker.evaluate({"extra": extra}) and not r.marker.evaluate({"extra": ""})
        ]
        missing = [r.name for r in wanted if not _state(r)[1]]
        if missing:
            advice = f"Optional: pip install '{DISTRIBUTION}[{extra}]'"
            yield Check(f"extra {extra}", "ok", f"not installed; it is for {unlocks}", advice)
        else:
            yield Check(f"extra {extra}", "ok", f"installed: {unlocks}")


def _folders() -> Iterator[Check]:
    places = (("cache", home(), "Set VHARNESS_HOME to another folder."), ("runs", Path.cwd(), "Use --out."))
    for name, folder, elsewhere in places:
        existing = next(p for p in (folder, *folder.parents) if p.exists())
        free = shutil.disk_usage(existing).free
        found = f"{folder}, {free / GIGABYTE:.1f} GB free"
        try:
            with tempfile.TemporaryFile(dir=existing) as f:
                f.write(b"x")
                f.flush()
        except OSError as error:
            yield Check(name, "fail", f"{found}, cannot be written ({error.strerror})", elsewhere)
            continue
        low = free < LOW_DISK
        advice = f"Make room ('vharness cache gc --max-size 500MB'). {elsewhere}" if low else ""
        yield Check(name, "warn" if low else "ok", found, advice)


def _keys() -> Iterator[Check]:
    for name, use in KEYS.items():
        yield Check(name, "ok", f"set; {use}" if os.environ.get(name) else f"not set; {use}")


def _device() -> Iterator[Check]:
    import torch

    if torch.accelerator.is_available() and (device := torch.accelerator.current_accelerator()) is not None:
        found = f"{torch.accelerator.device_count()} x {device.type}"
        if device.type == "cuda":
            free, total = torch.cuda.mem_get_info()
            found += f" ({torch.cuda.get_device_name()}, {free / GIGABYTE:.1f} of {total / GIGABYTE:.1f} GB free)"
        yield Check("device", "ok", found)
    else:
        advice = "Models of more than about 1B parameters are slow here; limit runs with --values and --limit."
        yield Check("device", "ok", f"CPU, {torch.get_num_threads()} threads, no accelerator", advice)
    memory = _memory()
    if memory is not None:
        yield Check("memory", "ok", f"{memory / GIGABYTE:.1f} GB")


def _memory() -> int | None:
    """Bytes of main memory, where the platform tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _models() -> Iterator[Check]:
    from valuebench_harness.harness.aliases import SHIPPED, aliases, aliases_file

    path = aliases_file()
    try:
        own = len(aliases()) - len(SHIPPED)
    except UsageError as error:
        yield Check("model names", "fail", str(error), "Mend the file, or take it away.")
        return
    found = f"{len(SHIPPED)} shipped, {own} more of your own ({path})" if path.is_file() else f"{len(SHIPPED)} shipped"
    yield Check("model names", "ok", found)


def _data() -> Iterator[Check]:
    from valuebench_harness.data.status import data_status

    for data in data_status():
        counts = ", ".join(f"{n:,} {part}" for part, n in data.items.items())
        if data.present:
            yield Check(f"data {data.name}", "ok", f"{counts}; {data.where}")
        elif data.repository:
            yield Check(f"data {data.name}", "warn", "not here", data.note)
        else:
            yield Check(f"data {data.name}", "fail", data.note or "missing", "Install the package again.")


def _mini() -> Iterator[Check]:
    from valuebench_harness.data.datasets import load_dataset
    from valuebench_harness.engine.plan import Message
    from valuebench_harness.engine.rows import GenerationRow
    from valuebench_harness.harness.config import make_config
    from valuebench_harness.harness.family import MINI
    from valuebench_harness.harness.session import load_model
    from valuebench_harness.tasks import prompts

    try:
        start = time.perf_counter()
        model = load_model(make_config(model=MINI))
        data = load_dataset(MINI)
        item = data.dilemmas(data.system.ids[0])[0]
        prompt = model.render([Message("user", prompts.dilemma(item))])
        row = GenerationRow(prompt=prompt, max_new_tokens=32, special=not model.has_chat_template)
        answer = next(text.text for _, text in model.generate([row]))
        seconds = time.perf_counter() - start
    except UsageError as error:
        yield Check("mini", "fail", str(error), "Install the package again.")
        return
    found = f"loads and answers in {seconds:.1f} s"
    yield Check("mini", "ok", found) if answer.strip() else Check("mini", "fail", "gives an empty answer")
