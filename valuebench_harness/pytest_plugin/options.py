"""Command-line options and their twins in the ini file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from valuebench_harness.errors import UsageError


@dataclass(frozen=True)
class _Option:
    name: str
    help: str
    default: str = ""
    flag: bool = False


_OPTIONS = (
    _Option("save", "Save the outcomes of this session's runs as the baseline NAME."),
    _Option("compare", "Compare this session's runs with the baseline NAME; a regression fails."),
    _Option("update", "With --vharness-compare: replace the baseline instead of comparing.", flag=True),
    _Option("update-new", "With --vharness-compare: save the runs that the baseline does not hold.", flag=True),
    _Option("baselines", "Folder of baselines, below the root.", "vharness-baselines"),
    _Option("metrics", "Metrics that are compared with the baseline.", "csr fr exam side_effects"),
    _Option("margin", "Harm that would not matter, as a share.", "0.01"),
    _Option("alpha", "Chance of any false regression in a session.", "0.05"),
    _Option("runs", "Folder of the sessions' runs, below the root.", ".vharness"),
    _Option("html", "Write a page with all expectations to this file."),
)


def add_options(parser: pytest.Parser) -> None:
    """Adds ``--vharness-X`` and, in the ini file, ``vharness_X``."""
    group = parser.getgroup("vharness", "steered models (valuebench-harness)")
    for option in _OPTIONS:
        flag, ini = f"--vharness-{option.name}", _ini(option.name)
        twin = f"{option.help} [ini: {ini}]"
        if option.flag:
            group.addoption(flag, action="store_true", default=None, help=twin)
            parser.addini(ini, option.help, type="bool", default=False)
        else:
            group.addoption(flag, metavar="NAME", default=None, help=twin)
            parser.addini(ini, option.help, default=option.default)


def _ini(name: str) -> str:
    return f"vharness_{name.replace('-', '_')}"


@dataclass(frozen=True)
class Options:
    """What was asked for.

    Attributes:
        save: baseline to save, or empty.
        compare: baseline to compare with, or empty.
        update: replace it.
        update_new: save what it does not hold.
        baselines: folder of baselines.
        metrics: that are compared.
        margin: harm that would not matter.
        alpha: chance of any false regression.
        runs: folder of the sessions' runs.
        html: file of the page, if one is wanted.
    """

    save: str
    compare: str
    update: bool
    update_new: bool
    baselines: Path
    metrics: tuple[str, ...]
    margin: float
    alpha: float
    runs: Path
    html: Path | None


def read_options(config: pytest.Config) -> Options:
    """The options, from the command line or the ini file.

    Raises:
        UsageError: for values that make no sense.
    """
    from valuebench_harness.errors import unknown_name
    from valuebench_harness.harness.compare.observations import METRIC_IDS
    from valuebench_harness.harness.compare.verdicts import check_margin

    def text(name: str) -> str:
        given = config.getoption(f"--vharness-{name}")
        return str(given if given is not None else config.getini(_ini(name)) or "")

    def flag(name: str) -> bool:
        given = config.getoption(f"--vharness-{name}")
        return bool(given if given is not None else config.getini(_ini(name)))

    metrics = tuple(metric_id(m) for m in text("metrics").replace(",", " ").split())
    for metric in metrics:
        if metric not in METRIC_IDS:
            raise unknown_name("metric in --vharness-metrics", metric, METRIC_IDS)
    # What is asked for on the command line goes before what the ini file always asks for.
    asked = {name for name in ("save", "compare") if config.getoption(f"--vharness-{name}") is not None}
    options = Options(
        save="" if asked == {"compare"} else text("save"),
        compare="" if asked == {"save"} else text("compare"),
        update=flag("update"),
        update_new=flag("update-new"),
        baselines=config.rootpath / text("baselines"),
        metrics=metrics,
        margin=_number(text("margin"), "margin"),
        alpha=_number(text("alpha"), "alpha"),
        runs=config.rootpath / text("runs"),
        html=Path(text("html")) if text("html") else None,
    )
    check_margin(options.margin, options.alpha)
    if (options.update or options.update_new) and not options.compare:
        raise UsageError("--vharness-update and --vharness-update-new need --vharness-compare NAME.")
    if options.save and options.compare:
        raise UsageError("Give --vharness-save or --vharness-compare, not both.")
    return options


def metric_id(name: str) -> str:
    """The id of a metric; ``mmlu`` is the exam of a real model."""
    return "exam" if name == "mmlu" else name


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--vharness-{name} '{text}' is no number.") from None
