"""Which rows of a streamed table are in which split, piece by piece: nothing of it grows with the number of rows.

Every piece gives each split its share of the rows, so that the splits have the sizes that they would have in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import polars as pl

from ffspec.data.grouping import permutation
from ffspec.data.loaded import Ints
from ffspec.seeds import derive
from ffspec.spec.facts import SPLITS


@dataclass(frozen=True, slots=True)
class Division:
    """How the rows of each piece are divided."""

    counts: Mapping[str, tuple[int, ...]]
    """The rows each piece gives to a split, by split, in the order train, validation, test."""
    rows: tuple[int, ...]
    """The rows of each piece."""
    seed: int | None = None
    """What the rows of a split are drawn with; None: they are taken in order."""
    column: str | None = None
    """The column that says where a row belongs."""

    @property
    def totals(self) -> dict[str, int]:
        """The rows of each split."""
        return {name: sum(counts) for name, counts in self.counts.items()}

    def rows_of(self, piece: int, frame: pl.DataFrame) -> dict[str, Ints]:
        """Return the rows of each split in a piece, in their order."""
        if self.column is not None:
            cells = frame.get_column(self.column).cast(pl.String).to_numpy()
            return {name: np.flatnonzero(cells == name).astype(np.int64) for name in self.counts}
        every = np.arange(self.rows[piece], dtype=np.int64)
        if self.seed is not None:
            every = permutation(len(every), derive(self.seed, f"piece {piece}"))
        # The small splits are drawn first, as where all rows are in memory; what is left over belongs to none.
        order = [*self.counts] if self.seed is None else [*self.counts][::-1]
        stops = [0, *accumulate(self.counts[name][piece] for name in order)]
        parts = {name: np.sort(every[stops[index] : stops[index + 1]]) for index, name in enumerate(order)}
        return {name: parts[name] for name in self.counts}


def drawn(rows: Sequence[int], sizes: Mapping[str, int], seed: int) -> Division:
    """Give each split its share of every piece; the small splits first, and the training split of what they leave."""
    counts: dict[str, tuple[int, ...]] = {}
    left = list(rows)
    for name in [*sizes][::-1]:
        ends, total = [0, *accumulate(left)], sum(left)
        taken = [end * sizes[name] // max(total, 1) for end in ends]
        counts[name] = tuple(after - before for before, after in pairwise(taken))
        left = [have - took for have, took in zip(left, counts[name], strict=True)]
    return Division({name: counts[name] for name in sizes}, tuple(rows), seed)


def in_order(rows: Sequence[int], sizes: Mapping[str, int]) -> Division:
    """Give the first rows to the first split, and so on."""
    ends, counts, before = [0, *accumulate(rows)], {}, 0
    for name, size in sizes.items():
        inside = [min(max(end - before, 0), size) for end in ends]
        counts[name] = tuple(after - start for start, after in pairwise(inside))
        before += size
    return Division(counts, tuple(rows))


def joined(parts: Sequence[tuple[str | None, Division]]) -> Division:
    """Put the divisions of several files one after another; a file may be a split of its own."""
    first = parts[0][1]
    names = [name for name in SPLITS if name in first.counts or any(own == name for own, _ in parts)]
    counts = {
        name: tuple(
            count
            for own, division in parts
            for count in (division.rows if own == name else division.counts.get(name, (0,) * len(division.rows)))
        )
        for name in names
    }
    rows = tuple(count for _, division in parts for count in division.rows)
    return Division(counts, rows, first.seed, first.column)
