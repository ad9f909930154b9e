"""From a spec's `dataset` to splits ready for training: read or draw, settle the target, divide, prepare."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from ffspec.data.arrays import read_arrays, read_inline
from ffspec.data.dividing import divide
from ffspec.data.features import Ready, assembled, fit_features
from ffspec.data.generated import generate
from ffspec.data.loaded import Floats, Ints, Loaded, Raw, Split
from ffspec.data.packaged import Packaged, read_packaged
from ffspec.data.preparation import Preparation
from ffspec.data.problems import counted, problem
from ffspec.data.targets import Target, settle
from ffspec.diagnostics import Path
from ffspec.limits import shortage
from ffspec.planner import target_kind
from ffspec.spec import tables
from ffspec.spec.dataset import Dataset
from ffspec.spec.facts import Facts, TargetKind
from ffspec.spec.generators import Generator
from ffspec.spec.root import Spec

COPIES = 2
"""How often the matrix of all rows is there at once, at least, while it is drawn."""


def load(  # noqa: PLR0913 - each is one thing that decides what is loaded
    dataset: Dataset,
    *,
    seed: int,
    directory: pathlib.Path,
    wants: TargetKind | None = None,
    arrays: Any = None,
    allow_outside: bool = False,
    single: bool = False,
) -> Loaded:
    """Load a data set: every split, prepared by what was fitted on the training split.

    `seed` is the spec's; `directory` is where its paths begin, and out of which none may lead unless `allow_outside`;
    `wants` is the kind of target its loss needs; `arrays` take the place of the source's rows: `(X, y)`, or a mapping
    from the names of splits to such pairs. `single` has the features, computed in float64, kept as float32.

    Raises:
        SpecError: FF030 to FF039, the data cannot be used.
    """
    if arrays is not None:
        dataset = dataset.model_copy(update={"source": tables.Arrays()})
    path: Path = ("dataset",) if isinstance(dataset.source, tables.Arrays) else ("dataset", dataset.source.name)
    table = isinstance(dataset.source, tables.Table)
    if dataset.buffer is not None:
        return _streamed(dataset, seed, directory, wants, allow_outside=allow_outside, single=single)
    raw = read_table(dataset, directory, allow_outside=allow_outside) if table else _read(dataset, seed, arrays, path)
    target = settle(raw.target, wants, (*path, "target") if table else path)
    rows = divide(dataset, target, raw, dataset.split_seed(seed))
    made = fit_features(raw, rows, dataset.prepare, path, np.float32 if single else np.float64)
    preparation = Preparation(tuple(ready.column for ready in made))
    splits = _splits(raw, made, target.y, rows, path, single=single)
    return Loaded(
        splits=splits,
        facts=_facts(target, preparation, splits),
        features=preparation.features,
        targets=target.names,
        classes=target.classes,
        preparation=preparation,
    )


def load_spec(spec: Spec, arrays: Any = None, *, allow_outside: bool = False) -> Loaded:
    """Load the data set of a spec, its target as the loss needs it; see `load`."""
    return load(
        spec.dataset,
        seed=spec.seed,
        directory=spec.directory,
        wants=target_kind(dict(spec)),
        arrays=arrays,
        allow_outside=allow_outside,
        single=spec.training.precision != "float64",
    )


def _read(dataset: Dataset, seed: int, arrays: Any, path: Path) -> Raw:
    """Return all rows of a source that is no file."""
    source = dataset.source
    if isinstance(source, tables.Arrays):
        return read_arrays(arrays, by=dataset.by)
    if isinstance(source, Generator):
        features = source.known().features or 0
        _refuse_large(COPIES * 8 * source.rows * features, source.rows, features, path, "take fewer rows")
        return generate(source, seed)
    if isinstance(source, tables.Inline):
        return read_inline(source)
    return read_packaged(cast("Packaged", source))


def read_table(dataset: Dataset, directory: pathlib.Path, *, allow_outside: bool) -> Raw:
    """Return all rows of a table; see `ffspec.data.tables.read_table`."""
    from ffspec.data import tables as reading
    from ffspec.data.opening import Folder

    table, folder = cast("tables.Table", dataset.source), Folder(directory, open=allow_outside)
    return reading.read_table(table, folder, filled=dataset.prepare.missing != "error", by=dataset.by)


def _streamed(  # noqa: PLR0913 - as for `load`
    dataset: Dataset,
    seed: int,
    directory: pathlib.Path,
    wants: TargetKind | None,
    *,
    allow_outside: bool,
    single: bool,
) -> Loaded:
    from ffspec.data.opening import Folder
    from ffspec.data.streamed.loading import load_streamed

    folder = Folder(directory, open=allow_outside)
    return load_streamed(dataset, seed=dataset.split_seed(seed), folder=folder, wants=wants, single=single)


def _refuse_large(needed: int, rows: int, features: int, path: Path, hint: str) -> None:
    """Refuse a matrix that the memory has no room for.

    Raises:
        SpecError: FF039, it has none.
    """
    lack = shortage(needed)
    if lack is not None:
        message = f"data must fit into memory, but {counted(rows, 'row')} of {counted(features, 'feature')} {lack}"
        raise problem("FF039", message, path, hint)


def _facts(target: Target, preparation: Preparation, splits: Mapping[str, Split]) -> Facts:
    """Return the shape of what was loaded."""
    return Facts(
        features=len(preparation.features),
        target=target.kind,
        outputs=target.y.shape[1] if target.classes is None else len(target.classes),
        rows={name: len(split) for name, split in splits.items()},
        levels=preparation.levels,
    )


def _splits(  # noqa: PLR0913 - all there is of the rows
    raw: Raw, made: Sequence[Ready], y: Floats | Ints, rows: Mapping[str, Ints], path: Path, *, single: bool
) -> dict[str, Split]:
    """Return the prepared rows of each split, which stand one after another in the columns."""
    features, dtype = sum(len(ready.column.features) for ready in made), np.dtype(np.float32 if single else np.float64)
    hint = "leave out columns of many different texts: each text becomes a feature" if raw.levels else "take fewer rows"
    _refuse_large(dtype.itemsize * len(raw) * features, len(raw), features, path, hint)
    splits, start = {}, 0
    for name, chosen in rows.items():
        stop = start + len(chosen)
        splits[name] = Split(assembled(made, start, stop, dtype, last=True), y[chosen])
        start = stop
    return splits if raw.weights is None else _weighted(splits, raw.weights, rows, (*path, "weight"))


def _weighted(splits: dict[str, Split], weights: Floats, rows: Mapping[str, Ints], path: Path) -> dict[str, Split]:
    """Return the splits with the weights of their rows.

    Raises:
        SpecError: FF033, no row of a split counts.
    """
    for name, chosen in rows.items():
        if not weights[chosen].any():
            raise problem("FF033", f"a row of {name} must have a weight above 0, found none", path)
    return {name: replace(split, weight=weights[rows[name]]) for name, split in splits.items()}
