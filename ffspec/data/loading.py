"""From a spec's `dataset` to splits ready for training: read or draw, settle the target, divide, prepare."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from ffspec.data.arrays import read_arrays, read_inline
from ffspec.data.columns import codes_of
from ffspec.data.dividing import divide
from ffspec.data.fitted import Category
from ffspec.data.generated import generate
from ffspec.data.loaded import Floats, Ints, Loaded, Raw, Split
from ffspec.data.packaged import Packaged, read_packaged
from ffspec.data.preparation import Preparation, fit
from ffspec.data.targets import settle
from ffspec.diagnostics import Path
from ffspec.planner import target_kind
from ffspec.seeds import derive
from ffspec.spec import tables
from ffspec.spec.dataset import Dataset
from ffspec.spec.facts import Facts, TargetKind
from ffspec.spec.generators import Generator
from ffspec.spec.root import Spec


def load(
    dataset: Dataset,
    *,
    seed: int,
    directory: pathlib.Path,
    wants: TargetKind | None = None,
    arrays: Any = None,
) -> Loaded:
    """Load a data set: every split, prepared by what was fitted on the training split.

    `seed` is the spec's; `directory` is where its paths begin; `wants` is the kind of target its loss needs; `arrays`
    take the place of the source's rows: `(X, y)`, or a mapping from the names of splits to such pairs.

    Raises:
        SpecError: FF030 to FF037, the data cannot be used.
    """
    if arrays is not None:
        dataset = dataset.model_copy(update={"source": tables.Arrays()})
    raw = _read(dataset, seed, directory, arrays)
    path: Path = ("dataset",) if isinstance(dataset.source, tables.Arrays) else ("dataset", dataset.source.name)
    target = settle(raw.target, wants, (*path, "target") if isinstance(dataset.source, tables.Table) else path)
    rows = divide(dataset, target, dict(raw.fixed), derive(seed, "split"))
    preparation = fit(raw, rows["train"], dataset.prepare, path)
    splits = _prepared(_recoded(raw, preparation), target.y, rows, preparation, path)
    facts = Facts(
        features=len(preparation.features),
        target=target.kind,
        outputs=target.y.shape[1] if target.classes is None else len(target.classes),
        rows={name: len(split) for name, split in splits.items()},
    )
    return Loaded(
        splits=splits,
        facts=facts,
        features=preparation.features,
        targets=target.names,
        classes=target.classes,
        preparation=preparation,
    )


def load_spec(spec: Spec, arrays: Any = None) -> Loaded:
    """Load the data set of a spec, its target as the loss needs it; see `load`."""
    wants = target_kind(dict(spec))
    return load(spec.dataset, seed=spec.seed, directory=spec.directory, wants=wants, arrays=arrays)


def _read(dataset: Dataset, seed: int, directory: pathlib.Path, arrays: Any) -> Raw:
    """Return all rows of the source."""
    source = dataset.source
    if isinstance(source, tables.Arrays):
        return read_arrays(arrays)
    if isinstance(source, Generator):
        return generate(source, seed)
    if isinstance(source, tables.Inline):
        return read_inline(source)
    if isinstance(source, tables.Table):
        from ffspec.data.tables import read_table

        return read_table(source, directory)
    return read_packaged(cast("Packaged", source))


def _prepared(
    x: Floats, y: Floats | Ints, rows: Mapping[str, Ints], preparation: Preparation, path: Path
) -> dict[str, Split]:
    """Return the prepared rows of each split, prepared together so that a fault in any of them is reported once."""
    x = preparation.transform(x[np.concatenate(list(rows.values()))], path=path)
    stops = np.cumsum([len(chosen) for chosen in rows.values()])[:-1]
    parts = zip(rows.items(), np.split(x, stops), strict=True)
    return {name: Split(part, y[chosen]) for (name, chosen), part in parts}


def _recoded(raw: Raw, preparation: Preparation) -> Floats:
    """Return the raw columns with the categories as indices into the levels of the training split, -1 where unknown."""
    x = raw.x.copy() if raw.levels else raw.x
    for index, column in enumerate(preparation.columns):
        if isinstance(column, Category):
            codes = codes_of(np.array(raw.levels[index], dtype=object), column.levels)
            known = ~np.isnan(x[:, index])
            x[known, index] = codes[x[known, index].astype(np.int64)]
    return x
