"""Tables of value orientations, by setting and role: what features and roles are chosen from.

A CSV as Kang et al. (ACL 2025) publish theirs: ``steer_dim`` (the setting, such as the number of a
feature; empty: nothing is steered), ``player_name`` (the role; empty: none), then one column a value,
from -1 to 1. Columns that end in ``scstd`` or ``stds`` are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from valuebench_harness.data.reading import csv_rows
from valuebench_harness.errors import UsageError, unknown_name

KEYS = ("steer_dim", "player_name")


@dataclass(frozen=True, eq=False)
class Orientations:
    """A table of orientations.

    Attributes:
        path: where it was read.
        settings: of each row; empty where nothing is steered.
        roles: of each row; empty where there is none.
        values: names of the columns.
        scores: ``[n_rows, n_values]``; NaN where a cell is empty.
    """

    path: Path
    settings: tuple[str, ...]
    roles: tuple[str, ...]
    values: tuple[str, ...]
    scores: NDArray[np.float64]

    def column(self, value: str) -> NDArray[np.float64]:
        """Orientations of a value, by its id or display name, ``[n_rows]``.

        Raises:
            UsageError: the table has no such value.
        """
        for i, name in enumerate(self.values):
            if _fold(name) == _fold(value):
                return self.scores[:, i]
        raise UsageError(f"{self.path}: {unknown_name('value', value, self.values)}")

    def changes(self, value: str) -> dict[str, NDArray[np.float64]]:
        """For each setting, the changes of a value in the roles that were asked with it and without any setting.

        Raises:
            UsageError: no role was asked both ways.
        """
        column = self.column(value)
        rows = zip(self.settings, self.roles, column, strict=True)
        plain = {role: score for setting, role, score in rows if not setting}
        found: dict[str, list[float]] = {}
        for setting, role, score in zip(self.settings, self.roles, column, strict=True):
            if setting and role in plain and np.isfinite(score - plain[role]):
                found.setdefault(setting, []).append(float(score - plain[role]))
        if not found:
            raise UsageError(f"{self.path}: no role was asked with a setting and without one (empty steer_dim).")
        return {setting: np.array(changes) for setting, changes in found.items()}

    def best_setting(self, value: str, sign: int) -> str:
        """The setting that raises (``sign`` +1) or lowers (-1) a value most reliably (Kang et al., Table 3).

        Reliably is: the share of roles moved that way less the share moved the other way; the mean
        change decides between equals.

        Raises:
            UsageError: no setting moves more roles that way than the other.
        """
        net = {
            setting: (sign * float(np.sign(change).mean()), sign * float(change.mean()))
            for setting, change in self.changes(value).items()
        }
        best = max(net, key=lambda setting: net[setting])
        if net[best][0] <= 0:
            word = "raises" if sign > 0 else "lowers"
            raise UsageError(f"{self.path}: no setting {word} '{value}' in more roles than it moves the other way.")
        return best

    def best_role(self, value: str, sign: int, among: Sequence[str]) -> str:
        """The role that stands highest (``sign`` +1) or lowest (-1) on a value when nothing is steered.

        Raises:
            UsageError: none of the roles is in the table.
        """
        column = self.column(value)
        scores = {
            role: sign * float(score)
            for setting, role, score in zip(self.settings, self.roles, column, strict=True)
            if not setting and role in among and np.isfinite(score)
        }
        if not scores:
            raise UsageError(f"{self.path}: none of the {len(among)} roles given was asked with an empty steer_dim.")
        return max(scores, key=lambda role: scores[role])


def read_orientations(path: Path) -> Orientations:
    """Reads a table.

    Raises:
        UsageError: a missing file or column, a cell that is no number.
    """
    settings, roles, scores = [], [], []
    values: tuple[str, ...] = ()
    for line, row in csv_rows(path, (), "table of orientations"):
        missing = [key for key in KEYS if key not in row]
        if missing:
            raise UsageError(f"{path}: no column '{missing[0]}'; a table of orientations has {' and '.join(KEYS)}.")
        values = tuple(name for name in row if name not in KEYS and not name.endswith(("scstd", "stds")))
        settings.append(_setting(row["steer_dim"]))
        roles.append(row["player_name"])
        scores.append([_number(row[name], f"{path}:{line}: '{name}'") for name in values])
    if not values:
        raise UsageError(f"{path}: no rows, or no column with a value's orientations.")
    return Orientations(path, tuple(settings), tuple(roles), values, np.array(scores))


def _setting(cell: str) -> str:
    """Numbers that went through a float column lose their ``.0``."""
    return cell[:-2] if cell.endswith(".0") and cell[:-2].isdecimal() else cell


def _number(cell: str, where: str) -> float:
    try:
        return float(cell) if cell else float("nan")
    except ValueError:
        raise UsageError(f"{where} is '{cell[:40]}', not a number.") from None


def _fold(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
