"""A scripted author: does what each step's prompt asks, with texts that tell honesty from its opposite."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.support.chat_server import Reply, Request

_STEPS = {
    "situations": "Think of",
    "positive": "main character promotes",
    "negative": "Write its counterpart",
    "texts": r"Write \d+ texts",
    "dilemmas": "asks for advice",
    "check": "one word and nothing else",
}
_TEXTS = {
    "first-person sentence": "At place{0} I {1} when thing{0} fell beside tool{0}.",
    "first-person question": "Why should I wait if at place{0} I {1} about thing{0} and tool{0}?",
    "third-person sentence": "At place{0} keeper{0} {1} when thing{0} fell beside tool{0}.",
    "third-person question": "Has keeper{0} of place{0} {1} when thing{0} fell beside tool{0}?",
}
TRUE, FALSE = "told the whole truth", "told a pretty tale"

Fault = Callable[[str, int], Reply | None]
"""Given the step and how often it was asked before, a reply in the place of the author's."""


class Author:
    """The server's script; ``steps`` counts its requests."""

    def __init__(self, fault: Fault = lambda _step, _n: None) -> None:
        self.steps: Counter[str] = Counter()
        self._fault = fault
        self._made = 0

    def __call__(self, request: Request, _number: int) -> Reply:
        prompt = request.content
        (step,) = [name for name, mark in _STEPS.items() if re.search(mark, prompt)]
        self.steps[step] += 1
        return self._fault(step, self.steps[step] - 1) or Reply(self._write(step, prompt))

    def _write(self, step: str, prompt: str) -> str:
        entries: list[Any] = []
        if found := re.search(r"^\[\n.*?\n\]$", prompt, re.MULTILINE | re.DOTALL):
            entries = json.loads(found[0])
        if step == "check":
            return "A" if TRUE in entries[0]["A"] else "B" if TRUE in entries[1]["B"] else "neither"
        if step == "negative":
            return json.dumps([{"number": e["number"], "text": e["text"].replace(TRUE, FALSE)} for e in entries])
        form = next((name for name in _TEXTS if name in prompt), "")
        if step == "positive":
            return json.dumps([{"number": e["number"], "text": _text(form, e["situation"])} for e in entries])
        if step == "dilemmas":
            return json.dumps([_dilemma(e) for e in entries])
        (n,) = re.findall(r"(?:Think of|Write) (\d+) ", prompt)
        numbers = range(self._made, self._made + int(n))
        self._made += int(n)
        if step == "situations":
            return json.dumps(
                [{"scene": f"Scene {i % 12}", "situation": f"Somebody sees thing{i} break."} for i in numbers]
            )
        side = TRUE if "promote and embody" in prompt else FALSE
        return "```json\n" + json.dumps([{"text": _TEXTS[form].format(i, side)} for i in numbers]) + "\n```"


def _text(form: str, situation: str) -> str:
    (number,) = re.findall(r"thing(\d+)", situation)
    return _TEXTS[form].format(number, TRUE)


def _dilemma(entry: dict[str, Any]) -> dict[str, Any]:
    (i,) = re.findall(r"thing(\d+)", entry["situation"])
    acts = [f"{TRUE} about thing{i}", f"keep quiet at place{i}"]
    first, second = acts if entry["first"] == "for" else reversed(acts)
    question = f"Somebody at desk{i} broke thing{i} of owner{i}. Should they {first} or {second}?"
    return {"number": entry["number"], "question": question, "for": acts[0], "against": acts[1]}
