"""What the conformance suite found, as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

from rich.console import Console, RenderableType
from rich.text import Text

from valuebench_harness.harness.check.outcome import CheckRecord, Conformance, Status
from valuebench_harness.reports.clean import clean, one_line
from valuebench_harness.reports.markdown import escape
from valuebench_harness.reports.printing import printed

MARKS: dict[Status, str] = {"passed": "ok", "failed": "FAIL", "not applicable": "-", "reported": "info"}
STYLES: dict[Status, str] = {"passed": "green", "failed": "bold red", "not applicable": "dim", "reported": "cyan"}
WORDS_LENGTH = 400


def headline(found: Conformance) -> str:
    """``conva on mini: 16 passed, 1 failed, 1 not applicable``"""
    counts = [f"{found.count('passed')} passed"]
    counts += [f"{n} {status}" for status in ("failed", "not applicable") if (n := found.count(status))]
    return f"{one_line(found.steerer, 80)} on {one_line(found.model, 80)}: {', '.join(counts)}"


def setting(found: Conformance) -> str:
    """Value, direction, strength and layers."""
    layers = f", layers {', '.join(map(str, found.layers))}" if found.layers else ""
    return f"{found.value}, {found.direction} direction, strength {found.strength:g}{layers}"


def render_text(found: Conformance) -> str:
    """A line a check; what failed is said again at the end, with the steerer's own frames."""
    return printed(lambda console: _print(found, console))


def render_json(found: Conformance) -> str:
    """The finding as it is stored, with what failed by name."""
    return json.dumps({**json.loads(found.model_dump_json()), "failed": found.failed}, indent=1)


def render_markdown(found: Conformance) -> str:
    """A table for a pull request."""
    lines = [f"# {escape(headline(found))}", "", escape(setting(found)), "", "| check | | promise | found |"]
    lines.append("|:--|:--|:--|:--|")
    for check in found.checks:
        words = escape(one_line(check.words, WORDS_LENGTH))
        mark = f"**{MARKS[check.status]}**" if check.status == "failed" else MARKS[check.status]
        lines.append(f"| {check.check} | {mark} | {escape(check.asks)} | {words} |")
    for check in _with_frames(found):
        lines += ["", f"`{check.check}`:", "", "```text", clean(check.frames).replace("```", "'''"), "```"]
    return "\n".join(lines) + "\n"


RENDERERS: dict[str, Callable[[Conformance], str]] = {
    "text": render_text,
    "json": render_json,
    "md": render_markdown,
}
"""By the name of the format."""


def _print(found: Conformance, console: Console) -> None:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for options in ({"no_wrap": True}, {"no_wrap": True}, {"overflow": "fold", "ratio": 1}):
        table.add_column(**options)
    for check in found.checks:
        table.add_row(Text(MARKS[check.status], style=STYLES[check.status]), Text(check.check), _words(check))
    parts: list[RenderableType] = [
        Text(headline(found), style="bold"),
        Text(setting(found), style="dim"),
        Text(""),
        table,
    ]
    for check in _with_frames(found):
        parts += [Text(""), Text(f"{check.check}: {one_line(check.words, WORDS_LENGTH)}", style="red")]
        parts.append(Text(clean(check.frames), style="dim"))
    for part in parts:
        console.print(part)


def _words(check: CheckRecord) -> Text:
    words = one_line(check.words, WORDS_LENGTH)
    if check.status == "failed":
        return Text.assemble((f"{check.asks}: ", "dim"), (words, "red"))
    return Text.assemble((f"{check.asks}: ", "dim"), (words, "dim" if check.status == "not applicable" else ""))


def _with_frames(found: Conformance) -> list[CheckRecord]:
    return [check for check in found.checks if check.frames]
