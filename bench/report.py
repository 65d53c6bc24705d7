"""What the benchmarks found, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

from bench.machine import Machine


@dataclass(frozen=True)
class Figure:
    """One number: of which benchmark, what it says, in which unit, and what it should be."""

    benchmark: str
    what: str
    value: float
    unit: str
    goal: float | None = None
    note: str = ""
    """How the number came about, in a few words."""
    runs: dict[str, list[float]] = field(default_factory=dict)
    """Every single measurement, by what was measured."""
    least: bool = False
    """Whether the goal is the least that it should be; else it is the most."""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.least else self.value <= self.goal

    @property
    def aim(self) -> str:
        """The goal in words; empty without one."""
        if self.goal is None:
            return ""
        return f"{'≥' if self.least else '≤'} {_number(self.goal, self.unit)}"


def table(machine: Machine, figures: Iterable[Figure]) -> str:
    """All figures with their goals, in columns."""
    rows = [("benchmark", "what", "measured", "goal", "", "")]
    for figure in figures:
        mark = {True: "ok", False: "MISSED", None: ""}[figure.met]
        value = _number(figure.value, figure.unit)
        rows.append((figure.benchmark, figure.what, value, figure.aim, mark, figure.note))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join(["", machine.sentence(), "", lines[0], "-" * len(lines[0]), *lines[1:]])


def as_json(machine: Machine, figures: Iterable[Figure]) -> str:
    """The same for programs, with every single run."""
    found = [asdict(figure) | {"met": figure.met} for figure in figures]
    return json.dumps({"machine": asdict(machine), "figures": found}, indent=2, ensure_ascii=False)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The smallest and the largest of some measurements."""
    return f"{min(values):.{digits}f} … {max(values):.{digits}f} in {len(values)} runs"


def of_seconds(
    benchmark: str,
    what: str,
    runs: dict[str, list[float]],
    goal: float | None = None,
    *,
    least: bool = False,
) -> Figure:
    """How long the first way took ÷ how long the second, by the medians of their turns."""
    one, other = runs.values()
    note = f"{_middle(one)} ÷ {_middle(other)}, {len(one)} turns"
    return Figure(benchmark, what, median(one) / median(other), "x", goal, note, runs, least)


def _middle(values: Sequence[float]) -> str:
    """The median, and how far the runs lie apart: much, where other work disturbed them."""
    return f"{median(values):.1f} s ({min(values):.1f} … {max(values):.1f})"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    right = {2}
    cells = [
        text.rjust(width) if column in right else text.ljust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _number(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.3g} %"
    digits = 3 if unit == "x" or abs(value) < 0.1 else 2 if abs(value) < 10 else 1
    return f"{value:.{digits}f} {unit}".rstrip()
