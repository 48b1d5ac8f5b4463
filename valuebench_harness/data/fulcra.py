"""FULCRA's format: dialogues with the basic values that the answer shows (Yao et al., NAACL 2024).

``Value_FULCRA/data`` of microsoft/ValueCompass on GitHub, one JSON object a line: ``dialogue`` ("Human: ...",
a line break, "Bob: ..."), ``value_types`` ("security: -1"; also "+1", "1", "1+" and "=1" occur), and keys
that are not needed here. ``data_hybrid.jsonl`` holds all splits.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from valuebench_harness.data.reading import read_jsonl
from valuebench_harness.data.schemas import Demonstration
from valuebench_harness.errors import UsageError

ALL_SPLITS = "data_hybrid.jsonl"

_DIALOGUE = re.compile(r"\s*Human:(?P<prompt>.*?)\nBob:(?P<answer>.*?)(?=\nHuman:|\Z)", re.DOTALL)
_LABEL = re.compile(r"\s*(?P<value>[A-Za-z -]+?)\s*:\s*(?P<sign>[-+=]?)\s*1\s*\+?\s*")


class FulcraRow(BaseModel):
    """What is needed of a line."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    dialogue: str = Field(min_length=1)
    value_types: tuple[str, ...] = ()


def read_fulcra(folder: Path, value: str) -> list[Demonstration]:
    """The first exchange of every dialogue whose answer shows a value, or goes against it.

    Args:
        folder: with ``data_hybrid.jsonl``, or with other JSONL files of the format, all of which are read.
        value: its id.

    Raises:
        UsageError: no such folder or files, a line that is not of the format, or no dialogue for the value.
    """
    files = [folder / ALL_SPLITS] if (folder / ALL_SPLITS).is_file() else sorted(folder.glob("*.jsonl"))
    if not files:
        raise UsageError(f"{folder} holds no JSONL files in FULCRA's format (such as {ALL_SPLITS}).")
    found = []
    for path in files:
        for number, row in enumerate(read_jsonl(path, FulcraRow, "FULCRA file"), 1):
            sign = _sign(row, value, f"{path}, item {number}")
            match = _DIALOGUE.match(row.dialogue)
            if match is None:
                raise UsageError(f"{path}, item {number}: 'dialogue' must read 'Human: ...', a line break, 'Bob: ...'.")
            prompt, answer = match["prompt"].strip(), match["answer"].strip()
            if sign and prompt and answer:
                found.append(
                    Demonstration(
                        id=f"{path.stem}-{number:05d}",
                        value=value,
                        prompt=prompt,
                        answer=answer,
                        direction="positive" if sign > 0 else "negative",
                    )
                )
    if not found:
        raise UsageError(f"{folder}: no dialogue is labelled with '{value}' (value_types).")
    return found


def _sign(row: FulcraRow, value: str, where: str) -> int:
    """+1, -1, or 0 where the value is not named; contradictory labels cancel."""
    total = 0
    for label in row.value_types:
        match = _LABEL.fullmatch(label)
        if match is None:
            raise UsageError(f"{where}: '{label}' in 'value_types' must read as 'security: -1'.")
        if match["value"].strip().lower().replace(" ", "-") == value:
            total += -1 if match["sign"] == "-" else 1
    return (total > 0) - (total < 0)
