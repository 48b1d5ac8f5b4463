"""Which tokens were steered, by how much, at which layer: a shaded table, or JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from valuebench_harness.harness.check.explanation import Explanation, Token
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.markdown import escape
from valuebench_harness.reports.printing import printed

SHADES = " ░▒▓█"
FULL_SHARE = 0.8
"""Change, as a share of the state's norm, from which a cell has the darkest shade."""

COLUMN_WIDTH = 7
MOST_COLUMNS = 12
TOKEN_LENGTH = 16
QUESTION_LENGTH = 300


def render_text(found: Explanation) -> str:
    """Tokens down, layers across; darker where more of the state was changed."""
    return printed(lambda console: _print(found, console))


def render_json(found: Explanation) -> str:
    """All numbers: the change at each place, its share, and the distance from the unsteered state at each block."""
    return found.model_dump_json(indent=1)


def render_markdown(found: Explanation) -> str:
    """The same table in Markdown, without shades."""
    names, rows = _cells(found)
    lines = [f"# {escape(_headline(found))}", "", *(f"{escape(line)}\n" for line in _lead(found))]
    if names:
        lines += [f"| token | {' | '.join(names)} |", f"|:--|{'--:|' * len(names)}"]
        for token, values in rows:
            lines.append(f"| {escape(_label(token))} | {' | '.join(_number(v) for v, _ in values)} |")
    return "\n".join(lines) + "\n"


RENDERERS: dict[str, Callable[[Explanation], str]] = {
    "text": render_text,
    "json": render_json,
    "md": render_markdown,
}
"""By the name of the format."""


def _headline(found: Explanation) -> str:
    steerer, model = one_line(found.steerer, 80), one_line(found.model, 80)
    return f"{steerer} on {model}: {found.value}, {found.direction} direction, strength {found.strength:g}"


def _lead(found: Explanation) -> list[str]:
    """What stands above the table."""
    lines = [f"Answer: {one_line(found.answer, QUESTION_LENGTH)}"]
    if found.rewritten:
        lines += [f"Sent instead of the question: {one_line(' / '.join(found.rewritten), QUESTION_LENGTH)}"]
    if found.places:
        steered = sum(any(t.shift) for t in found.tokens)
        lines.append(
            f"{steered} of {len(found.tokens)} tokens were steered. A cell is the norm of the change made there, "
            "its shade the share of the state's own norm; 'last block' is how far the token's state is then from the "
            "unsteered one."
        )
    elif any(max(t.drift) > 0 for t in found.tokens):
        lines.append("No state is changed by hand, weights are. A cell is the distance from the unsteered state.")
    else:
        lines.append("No state is steered.")
    return lines


def _cells(found: Explanation) -> tuple[list[str], list[tuple[Token, list[tuple[float, float]]]]]:
    """Names of the columns, and by token the numbers with their shares; evenly spread where there are many."""
    if found.places:
        chosen = _spread(len(found.places))
        names = [f"{layer}" if site == "block" else f"{layer} {site}" for layer, site in found.places]
        rows = [(t, [*((t.shift[i], t.share[i]) for i in chosen), (t.drift[-1], 0.0)]) for t in found.tokens]
        return [*(f"layer {names[i]}" for i in chosen), "last block"], rows
    if not any(max(t.drift) > 0 for t in found.tokens):
        return [], []
    chosen = _spread(found.n_layers)
    top = max(max(t.drift) for t in found.tokens)
    return [f"layer {i}" for i in chosen], [(t, [(t.drift[i], t.drift[i] / top) for i in chosen]) for t in found.tokens]


def _spread(n: int) -> Sequence[int]:
    return range(n) if n <= MOST_COLUMNS else [round(i * (n - 1) / (MOST_COLUMNS - 1)) for i in range(MOST_COLUMNS)]


def _print(found: Explanation, console: Console) -> None:
    console.print(Text(_headline(found), style="bold"))
    for line in _lead(found):
        console.print(Text(line))
    names, rows = _cells(found)
    if not names:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("token", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", max_width=COLUMN_WIDTH + 2)
    for token, values in rows:
        label = Text(_label(token), style="bold" if token.part == "answer" else "")
        table.add_row(label, *(_shaded(value, share) for value, share in values))
    console.print()
    console.print(table)


def _label(token: Token) -> str:
    text = one_line(token.text.replace("\n", "⏎").replace(" ", "·"), TOKEN_LENGTH) or "·"
    return f"{'> ' if token.part == 'answer' else '  '}{text}"


def _number(value: float) -> str:
    return "" if value == 0 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _shaded(value: float, share: float) -> Text:
    step = 0 if share <= 0 else 1 + min(len(SHADES) - 2, int(share / FULL_SHARE * (len(SHADES) - 1)))
    return Text(f"{_number(value)} {SHADES[step]}")
