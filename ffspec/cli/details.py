"""Everything that is commonly asked of a trained network, on the split that judges it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.cli.table import count, figure, interval, table

if TYPE_CHECKING:
    from ffspec.runner.judgement import Judgement

SHOWN = 10
"""Of more classes a confusion matrix is too wide to read."""


def details(judgement: Judgement) -> str:
    """Return the common metrics with their intervals, and for classes what became of the rows of each."""
    found, sure = judgement.details()
    header = [f"on {judgement.split}", "value", *(["95 %"] if sure else [])]
    rows = [[name, figure(value), *([interval(sure.get(name))] if sure else [])] for name, value in found.items()]
    parts = [table(header, rows)]
    if judgement.classes:
        parts.append(_classes(judgement))
        if len(judgement.classes) <= SHOWN:
            parts.append(_confusion(judgement))
    return "\n".join(parts)


def _classes(judgement: Judgement) -> str:
    header = ["class", "rows", "precision", "recall", "f1"]
    rows = [
        [one.name, count(one.rows), figure(one.precision), figure(one.recall), figure(one.f1)]
        for one in judgement.classes
    ]
    return table(header, rows)


def _confusion(judgement: Judgement) -> str:
    names = [one.name for one in judgement.classes]
    rows = [[name, *map(count, line)] for name, line in zip(names, judgement.confusion.tolist(), strict=True)]
    return table(["class, and predicted", *names], rows)
