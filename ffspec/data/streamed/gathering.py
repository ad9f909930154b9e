"""One pass over the rows of a streamed table: what columns and target are, and a sample of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from ffspec.data.fitted import Column, DatePart
from ffspec.data.loaded import Floats, Ints, RawTarget, Split
from ffspec.data.problems import missing_cells, overflowing, problem
from ffspec.data.streamed.division import Division
from ffspec.data.streamed.reader import Cells, Reader
from ffspec.data.streamed.stream import Coder, Stream, features_of_cells
from ffspec.data.streamed.summaries import Moments, NumberSummary, TextSummary, with_one_mark
from ffspec.data.targets import Target, settle
from ffspec.diagnostics import Path
from ffspec.spec.dataset import Prepare
from ffspec.spec.facts import TargetKind
from ffspec.spec.sources import FEW

Sample = tuple[dict[str, Cells], Any, "Floats | None"]
"""Some rows: their columns, their targets, and what they weigh."""


@dataclass(slots=True)
class Gathered:
    """What is known of the rows looked at so far."""

    reader: Reader
    prepare: Prepare
    wants: TargetKind | None
    kind: RawTarget
    """A target without rows, which says of what kind it is."""
    labels: Any
    """The different targets so far, sorted; None where they are numbers that can be no classes."""
    numbers: dict[str, NumberSummary] = field(default_factory=dict)
    texts: dict[str, TextSummary] = field(default_factory=dict)
    targets: Moments = field(default_factory=Moments)
    """Of the training rows, where targets are numbers."""
    trained: Counter[Any] = field(default_factory=Counter)
    """How many training rows have each label."""
    sample: dict[str, list[Sample]] = field(default_factory=dict)

    def add_target(self, raw: RawTarget, train: Ints) -> None:
        """Look at the targets of a piece."""
        is_number = raw.values.dtype.kind in "fiu"
        if is_number:
            values = raw.values if raw.values.ndim == 2 else raw.values.reshape(-1, 1)
            self.targets.add(values[train].astype(np.float64))
        if self.labels is not None:
            self.labels = np.unique(np.concatenate([self.labels, np.unique(raw.values)]))
            labels, counts = np.unique(raw.values[train], return_counts=True)
            self.trained.update(dict(zip(labels.tolist(), counts.tolist(), strict=True)))
            asked = (self.wants, raw.kind)
            if is_number and "classes" not in asked and ("values" in asked or len(self.labels) > FEW):
                self.labels = None

    def add_columns(self, columns: Mapping[str, tuple[Cells, Any]], train: Ints) -> None:
        """Look at the columns of a piece."""
        for name, (cells, reading) in columns.items():
            if isinstance(cells, pl.Series):
                self.texts.setdefault(name, TextSummary(name)).add(cells, train, self.reader.path)
            else:
                self.numbers.setdefault(name, NumberSummary(name, reading)).add(cells, train)

    def columns(self) -> tuple[Column, ...]:
        """Return what is fitted to each column, in their order.

        Raises:
            SpecError: FF032, FF033, FF037: as where all rows are in memory.
        """
        path = self.reader.path
        made: list[Column] = []
        missing, wild = {}, []
        for name in self.sample["train"][0][0]:
            if name in self.texts:
                self.texts[name].check(path)
                made.append(self.texts[name].fitted(self.prepare))
                count = 0 if self.prepare.missing != "error" else self.texts[name].missing
            else:
                summary = self.numbers[name]
                if isinstance(summary.reading, DatePart) and not summary.varies:
                    continue
                cells = np.concatenate([np.asarray(part[name]) for part, _, _ in self.sample["train"]])
                number = summary.fitted(cells, self.prepare, path)
                made.append(number)
                count = 0 if number.fill is not None else summary.missing
                wild += [name] if summary.overflows(number) else []
            if count:
                missing[made[-1].raw] = count
        if not made:
            fault = "no column is left to predict from: the dates are the same in all training rows"
            raise problem("FF037", fault, path)
        if missing:
            raise missing_cells(missing, path)
        if wild:
            raise overflowing(wild, path)
        return with_one_mark(made)

    def target(self, path: Path) -> tuple[Target, Coder]:
        """Settle what the target is, and how pieces of it are read.

        Raises:
            SpecError: FF034, it cannot be what the loss needs.
        """
        kind = replace(self.kind, values=self.labels)
        if self.labels is None:
            row = np.zeros((1, *self.kind.values.shape[1:]))
            kind = replace(self.kind, values=row, kind="values" if row.ndim == 1 else self.kind.kind)
        target = settle(kind, self.wants, path)
        return target, Coder(None if target.classes is None else self.labels)

    def counts(self, coder: Coder) -> tuple[int, ...]:
        """Return how many training rows there are of each class; nothing where the target is values."""
        return () if coder.labels is None else tuple(self.trained[label] for label in coder.labels.tolist())

    def sampled(self, split: str, stream: Stream) -> Split:
        """Return the sample of a split."""
        parts = self.sample[split]
        cells = {name: _joined([part[name] for part, _, _ in parts]) for name in parts[0][0]}
        y = stream.coder.code(replace(self.kind, values=np.concatenate([values for _, values, _ in parts])))
        weights = [weight for _, _, weight in parts if weight is not None]
        x = features_of_cells(stream.columns, cells, stream.dtype)
        return Split(x, y, np.concatenate(weights) if weights else None)


def gather(reader: Reader, division: Division, prepare: Prepare, wants: TargetKind | None, limit: int) -> Gathered:
    """Look at all rows once.

    Args:
        reader: The files.
        division: Which rows are in which split.
        prepare: How columns are prepared.
        wants: The kind of target that the loss needs.
        limit: The rows of each split in the sample, at most.

    Raises:
        SpecError: FF030 to FF034, what is there cannot be used.
    """
    strides = {name: max(1, -(-total // limit)) for name, total in division.totals.items()}
    seen = dict.fromkeys(division.totals, 0)
    found: Gathered | None = None
    for piece in range(len(division.rows)):
        frame = reader.frame(piece)
        rows, sheet = division.rows_of(piece, frame), reader.sheet(piece, frame)
        raw, weights = reader.target(sheet), reader.weights(sheet)
        if found is None:
            none = replace(raw, values=raw.values[:0])
            labels = none.values if raw.values.ndim == 1 else None
            found = Gathered(reader, prepare, wants, none, labels, sample={name: [] for name in rows})
        found.add_target(raw, rows["train"])
        columns = reader.cells(sheet)
        found.add_columns(columns, rows["train"])
        for name, inside in rows.items():
            chosen = inside[-seen[name] % strides[name] :: strides[name]]
            seen[name] += len(inside)
            part = {column: _taken(cells, chosen) for column, (cells, _) in columns.items()}
            found.sample[name].append((part, raw.values[chosen], None if weights is None else weights[chosen]))
    if found is None:
        raise problem("FF030", f"{reader.table.path} has a header but no rows", reader.path)
    return found


def _taken(cells: Cells, rows: Ints) -> Cells:
    return cells.gather(rows) if isinstance(cells, pl.Series) else cells[rows]


def _joined(parts: list[Cells]) -> Cells:
    if isinstance(parts[0], pl.Series):
        return pl.concat([part for part in parts if isinstance(part, pl.Series)])
    return np.concatenate([part for part in parts if not isinstance(part, pl.Series)])
