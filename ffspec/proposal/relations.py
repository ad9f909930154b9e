"""Columns beside each other: those that say the same, and those that know the target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl

from ffspec.data.loaded import Floats, Ints
from ffspec.proposal.columns import Verdict
from ffspec.rules import statistics

if TYPE_CHECKING:
    from ffspec.proposal.target import Target

Tie: TypeAlias = tuple[float, str]
"""How well a column tells the target, from 0 to 1, and in words."""

CERTAIN, NEARLY = 0.99995, 0.99
"""A column that tells the target so well is left out as its consequence, or is told of."""
RANKED = 0.999
ROWS, RARE = 50, 10
"""With fewer rows, in all or of a class, a column may tell the target by chance."""
SAMPLE = 20_000
WIDEST = 300
"""Numbers that are compared pair by pair at most."""


def without_doubles(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Leave out the columns that say what one before them says: equal, in another unit, or level for level."""
    first: dict[object, str] = {}
    made = []
    for verdict in verdicts:
        if not verdict.used:
            made.append(verdict)
            continue
        key = _content(verdict)
        same = first.get(key)
        made.append(verdict if same is None else verdict.dropped(f"says the same as {same!r} in every row"))
        first.setdefault(key, verdict.name)
    scaled = dict(_scaled([verdict for verdict in made if verdict.role == "number"]))
    return [
        verdict.dropped(f"is {scaled[verdict.name]!r} in another unit: their correlation is 1")
        if verdict.used and verdict.name in scaled
        else verdict
        for verdict in made
    ]


def _content(verdict: Verdict) -> object:
    """Return what is equal for columns that say the same; categories by which rows share a level."""
    values = verdict.column.values
    if verdict.role in ("number", "date"):
        return (verdict.role, _figures(values).tobytes())
    # The place of each level's first row stands for the level, whatever it is called.
    return ("levels", _codes(values).tobytes())


def _figures(values: pl.Series) -> Floats:
    """Return numbers, or the moments of dates, NaN where one is missing."""
    found: Floats = (values.cast(pl.Int64) if values.dtype.is_temporal() else values).cast(pl.Float64).to_numpy()
    return found


def _codes(values: pl.Series) -> Ints:
    """Number the levels in the order of their first rows; a missing cell is a level too."""
    codes = values.cast(pl.String).rank("dense")
    numbers = codes.fill_null(0).cast(pl.Int64).to_numpy()
    _, starts, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(starts))[inverse].astype(np.int64)


def _scaled(numbers: Sequence[Verdict]) -> Iterator[tuple[str, str]]:
    """Yield the columns of numbers that are another one times a factor, plus a shift."""
    if not 2 <= len(numbers) <= WIDEST:
        return
    rows = statistics.sample(len(numbers[0].column.values), SAMPLE)
    x = np.stack([_figures(verdict.column.values)[rows] for verdict in numbers], axis=1)
    holes = np.isnan(x)
    x = np.where(holes, 0.0, x - np.nanmean(x, axis=0))
    norms = np.sqrt((x**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        near = np.abs((x / norms).T @ (x / norms)) > 1 - 1e-9
    for index, verdict in enumerate(numbers):
        for other in np.flatnonzero(near[index, :index]).tolist():
            if (holes[:, index] == holes[:, other]).all():
                yield verdict.name, numbers[other].name
                break


def without_leaks(verdicts: Sequence[Verdict], target: Target) -> list[Verdict]:
    """Leave out the columns that know the target, and tell of those that nearly do.

    Where more than half of the columns do, the target is easy, and nothing is said.
    """
    used = [verdict for verdict in verdicts if verdict.used]
    rows = statistics.sample(target.column.rows, SAMPLE)
    if len(rows) < ROWS:
        return list(verdicts)
    known = target.column.values.gather(rows)
    goal = _codes(known) if target.counts else _figures(known)
    ties = {verdict.name: _tie(verdict, verdict.column.values.gather(rows), goal) for verdict in used}
    told = {name: tie for name, tie in ties.items() if tie[0] > NEARLY}
    if 2 * len(told) > len(used):
        return list(verdicts)
    made = []
    for verdict in verdicts:
        score, how = told.get(verdict.name, (0.0, ""))
        if score > CERTAIN:
            made.append(verdict.dropped(f"knows the target: {how}"))
        elif score:
            note = f"nearly tells the target ({how}): is it known before?"
            made.append(replace(verdict, notes=(note, *verdict.notes)))
        else:
            made.append(verdict)
    return made


def _tie(verdict: Verdict, values: pl.Series, goal: Floats | Ints) -> Tie:
    """Say how well one column tells the target by itself: class codes, or numbers."""
    ordered = verdict.role in ("number", "date")
    if goal.dtype.kind == "i":
        return _tells_classes(_levels(values) if ordered else _codes(values).astype(np.float64), goal.astype(np.int64))
    y = goal.astype(np.float64)
    return _tells_numbers(_figures(values), y) if ordered else _parts_numbers(_codes(values), y)


def _levels(values: pl.Series) -> Floats:
    """Return a column as numbers, a missing cell below all others."""
    numbers = _figures(values)
    low = float(np.nanmin(numbers)) if values.null_count() < len(values) else 0.0
    return np.where(np.isnan(numbers), low - 1.0 - abs(low), numbers)


def _tells_classes(x: Floats, codes: Ints) -> Tie:
    counts = np.bincount(codes)
    classes = np.flatnonzero(counts >= RARE).astype(np.int64)
    if len(classes) < 2:
        return 0.0, ""
    found = statistics.recall(statistics.cells_of(x), codes, classes)
    if len(classes) == 2 and np.count_nonzero(counts) == 2:
        found = max(found, statistics.area(x, codes == classes[1]))
    return found, "by itself it tells every class" if found > CERTAIN else f"{100 * found:.4g} % of each class"


def _tells_numbers(x: Floats, y: Floats) -> Tie:
    known = ~np.isnan(x)
    if known.sum() < max(ROWS, len(x) / 2):
        return 0.0, ""
    x, y = x[known], y[known]
    if x.min() == x.max() or y.min() == y.max():
        return 0.0, ""
    if (x == y).all():
        return 1.0, "it is the same number in every row"
    straight = float(abs(np.corrcoef(x, y)[0, 1]))
    if straight > RANKED:
        return 1.0, f"their correlation is {straight:.5g}"
    ranked = statistics.spearman(x, statistics.ranks(y).reshape(-1, 1))
    return (1.0, f"their rank correlation is {ranked:.5g}") if ranked > RANKED else (0.0, "")


def _parts_numbers(codes: Ints, y: Floats) -> Tie:
    """Say whether levels part a target: all numbers of one below or above all those of another."""
    counts = np.bincount(codes)
    levels = np.flatnonzero(counts >= 2)
    if len(levels) < 3 or counts[levels].sum() < 0.9 * len(y):
        return 0.0, ""
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])[levels]
    ordered = y[order]
    stops = starts + counts[levels]
    bounds = sorted((float(ordered[a:b].min()), float(ordered[a:b].max())) for a, b in zip(starts, stops, strict=True))
    apart = all(here[1] <= there[0] for here, there in pairwise(bounds))
    return (1.0, "each of its levels is a range of it") if apart else (0.0, "")
