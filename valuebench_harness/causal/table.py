"""Value orientations: one row a (setting, role), one column a value.

The file form is the one of Kang et al. (ACL 2025): ``steer_dim`` (the setting, empty for the
unsteered model), ``player_name`` (the role, empty for none), then the values. Their derived
columns (``VALUE:scstd``, ``stds``, ``scstds``) are ignored.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from valuebench_harness.data.reading import read_text
from valuebench_harness.errors import UsageError, unknown_name

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

SETTING, ROLE = "steer_dim", "player_name"
UNSTEERED = ""
"""The setting without steering."""

NO_ROLE = ""
"""The empty role: it counts as a role."""

DERIVED = ("stds", "scstds")
MISSING = frozenset({"", "nan", "na", "none", "null"})
TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class OrientationTable:
    """Orientations in [-1, 1] of the same values under settings (columns of a plan) and roles.

    Attributes:
        values: names of the values, in the order of the columns.
        settings: of each row, such as an SAE feature's number; ``""`` is unsteered.
        roles: of each row; ``""`` is no role.
        scores: ``[rows, values]``; NaN where no answer was scored.
        source: where the table is from, for messages.
    """

    values: tuple[str, ...]
    settings: tuple[str, ...]
    roles: tuple[str, ...]
    scores: FloatArray
    source: str = "the table"

    def __post_init__(self) -> None:
        if self.scores.shape != (len(self.settings), len(self.values)) or len(self.roles) != len(self.settings):
            raise ValueError(f"{self.scores.shape} scores of {len(self.settings)} rows x {len(self.values)} values")

    def __len__(self) -> int:
        return len(self.settings)

    @cached_property
    def setting_names(self) -> tuple[str, ...]:
        """Distinct settings in the order of their first row."""
        return tuple(dict.fromkeys(self.settings))

    @cached_property
    def role_names(self) -> tuple[str, ...]:
        """Distinct roles in the order of their first row."""
        return tuple(dict.fromkeys(self.roles))

    @cached_property
    def setting_index(self) -> IntArray:
        """Of each row, the number of its setting in :attr:`setting_names`: a cluster."""
        return _index(self.settings, self.setting_names)

    @cached_property
    def role_index(self) -> IntArray:
        """Of each row, the number of its role in :attr:`role_names`: a cluster."""
        return _index(self.roles, self.role_names)

    @cached_property
    def _row_of(self) -> dict[tuple[str, str], int]:
        return {key: row for row, key in enumerate(zip(self.settings, self.roles, strict=True))}

    def row(self, setting: str, role: str) -> FloatArray | None:
        """Orientations of one setting and role, ``[values]``; ``None`` where the table has no such row."""
        number = self._row_of.get((setting, role))
        return None if number is None else self.scores[number]

    def by_role(self, setting: str, roles: Iterable[str]) -> FloatArray:
        """Orientations of one setting for several roles, ``[roles, values]``; rows that do not exist are NaN."""
        empty = np.full(len(self.values), np.nan)
        return np.array([empty if (row := self.row(setting, role)) is None else row for role in roles]).reshape(
            -1, len(self.values)
        )

    def only(self, settings: Collection[str] | None = None, roles: Collection[str] | None = None) -> OrientationTable:
        """The rows of some settings and roles.

        Raises:
            UsageError: for a setting or role that the table does not have.
        """
        for kind, wanted, known in (
            ("setting", settings, self.setting_names),
            ("role", roles, self.role_names),
        ):
            for name in wanted or ():
                if name not in known:
                    raise unknown_name(kind, name, known, f"It is not in {self.source}.")
        return self.rows(
            [
                n
                for n, (setting, role) in enumerate(zip(self.settings, self.roles, strict=True))
                if (settings is None or setting in settings) and (roles is None or role in roles)
            ]
        )

    def of_values(self, values: Sequence[str]) -> OrientationTable:
        """The columns of some values, in their order.

        Raises:
            UsageError: for a value that the table does not have.
        """
        for value in values:
            if value not in self.values:
                raise unknown_name("value", value, self.values, f"It is not in {self.source}.")
        columns = [self.values.index(value) for value in values]
        return OrientationTable(tuple(values), self.settings, self.roles, self.scores[:, columns], self.source)

    def rows(self, rows: Sequence[int] | IntArray) -> OrientationTable:
        """The rows of some numbers, in their order."""
        return OrientationTable(
            self.values,
            tuple(self.settings[n] for n in rows),
            tuple(self.roles[n] for n in rows),
            self.scores[np.asarray(rows, dtype=np.intp)],
            self.source,
        )

    def to_csv(self) -> str:
        """The table as text in the columns of the published files."""
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([SETTING, ROLE, *self.values])
        for setting, role, row in zip(self.settings, self.roles, self.scores.tolist(), strict=True):
            writer.writerow([setting, role, *("" if math.isnan(x) else repr(x) for x in row)])
        return out.getvalue()


def from_rows(
    rows: Mapping[tuple[str, str], Mapping[str, float | None]],
    values: Sequence[str],
    source: str = "the table",
) -> OrientationTable:
    """A table from orientations by (setting, role) and value; what is absent or ``None`` is missing."""
    scores = np.full((len(rows), len(values)), np.nan)
    for n, row in enumerate(rows.values()):
        for column, value in enumerate(values):
            score = row.get(value)
            scores[n, column] = np.nan if score is None else score
    return OrientationTable(tuple(values), tuple(s for s, _ in rows), tuple(r for _, r in rows), scores, source)


def read_table(path: Path) -> OrientationTable:
    """Reads a table of orientations.

    Raises:
        UsageError: no such file; no columns ``steer_dim`` and ``player_name``; no value; a cell that
            is no number in [-1, 1]; a setting and role that come twice.
    """
    reader = csv.reader(io.StringIO(read_text(path, "table of orientations"), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        columns = _columns(path, header)
        rows: dict[tuple[str, str], list[float]] = {}
        lines: dict[tuple[str, str], int] = {}
        for cells in reader:
            line = reader.line_num
            if not cells:
                continue
            if len(cells) != len(header):
                raise UsageError(f"{path}:{line}: {len(cells)} cells under {len(header)} columns.")
            key = (_setting(cells[header.index(SETTING)]), cells[header.index(ROLE)].strip())
            if key in lines:
                raise UsageError(
                    f"{path}:{line}: setting '{key[0]}' with role '{key[1]}' already stands in line {lines[key]}."
                )
            lines[key] = line
            rows[key] = [_number(path, line, name, cells[place]) for name, place in columns.items()]
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: not a CSV ({error}).") from None
    if not rows:
        raise UsageError(f"{path}: holds no rows.")
    return OrientationTable(
        tuple(columns), tuple(s for s, _ in rows), tuple(r for _, r in rows), np.array(list(rows.values())), str(path)
    )


def same_values(train: OrientationTable, test: OrientationTable) -> OrientationTable:
    """The test table with its columns in the order of the training table.

    Raises:
        UsageError: where the two measure different values.
    """
    if set(train.values) != set(test.values):
        lacks = sorted(set(train.values) - set(test.values))
        more = sorted(set(test.values) - set(train.values))
        told = "; ".join(
            f"only in {where}: {', '.join(names)}"
            for where, names in ((train.source, lacks), (test.source, more))
            if names
        )
        raise UsageError(f"The tables measure different values ({told}).")
    return test.of_values(train.values)


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    for name in (SETTING, ROLE):
        if name not in header:
            found = ", ".join(header[:6]) or "none, the file is empty"
            raise UsageError(f"{path}: column '{name}' missing (found: {found}).")
    columns: dict[str, int] = {}
    for place, name in enumerate(header):
        if name in {SETTING, ROLE, *DERIVED} or name.endswith(":scstd"):
            continue
        if not name:
            raise UsageError(f"{path}: column {place + 1} has no name.")
        if name in columns:
            raise UsageError(f"{path}: column '{name}' comes twice.")
        columns[name] = place
    if not columns:
        raise UsageError(f"{path}: has no column of a value beside '{SETTING}' and '{ROLE}'.")
    return columns


def _setting(cell: str) -> str:
    """A setting's name; feature numbers that a spreadsheet or pandas wrote as ``1312.0`` are whole again."""
    name = cell.strip()
    whole, _, rest = name.partition(".")
    return whole if whole.isdecimal() and rest == "0" else name


def _number(path: Path, line: int, name: str, cell: str) -> float:
    text = cell.strip()
    if text.lower() in MISSING:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        raise UsageError(f"{path}:{line}: '{name}' is '{text[:40]}', no number.") from None
    if not abs(number) <= 1 + TOLERANCE:
        raise UsageError(f"{path}:{line}: '{name}' is {text}; orientations lie in [-1, 1].")
    return number


def _index(names: Sequence[str], distinct: Sequence[str]) -> IntArray:
    number = {name: n for n, name in enumerate(distinct)}
    return np.array([number[name] for name in names], dtype=np.intp)
