"""From a table that is streamed to all that training needs: one pass over the rows fits the preparation.

What looks at rows as a whole looks at a sample: evenly spaced rows of each split.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ffspec.data.loaded import Loaded
from ffspec.data.opening import Folder
from ffspec.data.preparation import Preparation
from ffspec.data.problems import problem, some
from ffspec.data.streamed.division import Division, drawn, in_order, joined
from ffspec.data.streamed.gathering import Gathered, gather
from ffspec.data.streamed.reader import Reader, open_reader
from ffspec.data.streamed.stream import Stream
from ffspec.spec.dataset import Dataset, Split, misfit, sizes_of
from ffspec.spec.facts import SPLITS, Facts, TargetKind
from ffspec.spec.tables import Parquet

SAMPLE, CELLS = 100_000, 20_000_000
"""Rows of each split in a sample, and cells, at most; a thousand rows there may be of any table."""


def load_streamed(dataset: Dataset, *, seed: int, folder: Folder, wants: TargetKind | None, single: bool) -> Loaded:
    """Load a data set that is streamed: its splits are samples, and `stream` has all rows.

    Args:
        dataset: The data set, of a Parquet file.
        seed: What the rows of the splits are drawn with.
        folder: Where the files are.
        wants: The kind of target that the loss needs.
        single: Whether features are float32.

    Raises:
        SpecError: FF030 to FF039, the data cannot be used.
    """
    table = dataset.source
    if not isinstance(table, Parquet) or table.buffer is None:
        raise TypeError(type(table))
    reader = open_reader(table, folder, filled=dataset.prepare.missing != "error")
    division = _by_column(reader, table.split_column) if table.split_column else _by_sizes(dataset, reader, seed)
    limit = max(1000, min(SAMPLE, CELLS // len(reader.features)))
    gathered = gather(reader, division, dataset.prepare, wants, limit)
    return _loaded(gathered, reader, division, table.buffer, single=single)


def _loaded(gathered: Gathered, reader: Reader, division: Division, buffer: int, *, single: bool) -> Loaded:
    """Settle what was gathered, and prepare the samples."""
    target, coder = gathered.target((*reader.path, "target"))
    preparation = Preparation(gathered.columns())
    stream = Stream(
        reader=reader,
        division=division,
        columns=preparation.columns,
        coder=coder,
        dtype=np.float32 if single else np.float64,
        buffer=buffer,
        targets=gathered.targets,
        classes=gathered.counts(coder),
    )
    facts = Facts(
        features=len(preparation.features),
        target=target.kind,
        outputs=len(target.names) if target.classes is None else len(target.classes),
        rows=dict(division.totals),
        levels=preparation.levels,
    )
    return Loaded(
        splits={name: gathered.sampled(name, stream) for name in division.counts},
        facts=facts,
        features=preparation.features,
        targets=target.names,
        classes=target.classes,
        preparation=preparation,
        stream=stream,
    )


def _by_sizes(dataset: Dataset, reader: Reader, seed: int) -> Division:
    """Divide the rows as `dataset.split` says, but for files that are splits of their own.

    Raises:
        SpecError: FF035, there are too few rows for such a split.
    """
    split = dataset.split
    if split is None and len(reader.files) > 1:
        split = "none"
    parts: list[tuple[str | None, Division]] = []
    for own, file in reader.files.items():
        if own:
            parts.append((own, Division({}, file.rows)))
            continue
        total = sum(file.rows)
        message = misfit(split, total)
        if message is not None:
            hint = "write 'split: none' to train on all rows" if split is None else None
            raise problem("FF035", f"the split {message}", ("dataset", "split"), hint)
        sizes = sizes_of(split, total)
        ordered = isinstance(split, Split) and not split.shuffle
        parts.append((None, in_order(file.rows, sizes) if ordered else drawn(file.rows, sizes, seed)))
    return joined(parts)


def _by_column(reader: Reader, column: str) -> Division:
    """Divide the rows as a column says; it is read for that beforehand.

    Raises:
        SpecError: FF035, it says something else than a split, or leaves nothing to train on.
    """
    path = (*reader.path, "split_column")
    found: list[Mapping[str, int]] = []
    for piece in range(len(reader.rows)):
        frame = reader.frame(piece, [column])
        sheet, words = reader.sheet(piece, frame), frame.get_column(column).to_numpy()
        strange = np.flatnonzero(~np.isin(words.astype(object), SPLITS)).tolist()
        if strange:
            cells = ("an empty cell" if words[row] is None else repr(words[row]) for row in strange)
            told = some(f"{cell} in row {sheet.row(row)}" for cell, row in zip(cells, strange, strict=True))
            raise problem("FF035", f"{column!r} must say train, validation or test, found {told}", path)
        found.append({name: int((words == name).sum()) for name in SPLITS})
    counts = {name: tuple(one[name] for one in found) for name in SPLITS}
    if not any(counts["train"]):
        raise problem("FF035", f"{column!r} must put rows into train, found none", path)
    return Division({name: own for name, own in counts.items() if any(own)}, reader.rows, column=column)
