"""Measures as tables: of few a line for each split, of many, which would make lines too long to read, one for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ffspec.cli.table import figure, table

WIDE = 100
"""The longest line, in characters. Where it goes must not depend on the terminal: outputs are compared."""

Cells: TypeAlias = "Mapping[str, Sequence[str]]"
"""What is said of a measure, by its column's name: a cell for each split."""


def by_split(splits: Sequence[str], measures: Mapping[str, Cells]) -> str:
    """Return the measures of splits.

    Args:
        splits: What the splits are called.
        measures: What is said of each measure; of some there may be more columns than of others.
    """
    header, columns = ["split"], [splits]
    for name, cells in measures.items():
        header += [f"{name} {column}" if column in {"before", "after"} else column for column in cells]
        columns += cells.values()
    made = table(header, [list(row) for row in zip(*columns, strict=True)])
    return made if _fits(made) else _tall(splits, measures)


def _tall(splits: Sequence[str], measures: Mapping[str, Cells]) -> str:
    named = list(dict.fromkeys(column for cells in measures.values() for column in cells))
    rows = [
        [split, name, *(cells[column][place] if column in cells else "" for column in named)]
        for place, split in enumerate(splits)
        for name, cells in measures.items()
    ]
    return table(["split", "measure", *named], rows, left=2)


def beside(where: str, models: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return some measures of models, one model below the other; of many measures, one model beside the other.

    Args:
        where: On which rows they were measured.
        models: The measures of each.
        names: Which of them.
    """
    rows = [[model, *(figure(found.get(name)) for name in names)] for model, found in models.items()]
    made = table([where, *names], rows)
    if _fits(made):
        return made
    return table([where, *models], [[name, *(figure(found.get(name)) for found in models.values())] for name in names])


def one_line(measures: Mapping[str, float | None]) -> str:
    """Return as many measures, from the first, as one line has room for."""
    said = ""
    for name, value in measures.items():
        longer = f"{said}  {name} {figure(value)}".strip()
        if said and len(longer) > WIDE:
            break
        said = longer
    return said


def _fits(text: str) -> bool:
    return all(len(line) <= WIDE for line in text.splitlines())
