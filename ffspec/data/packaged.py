"""Reading the data sets that scikit-learn carries with it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from ffspec.data.loaded import Raw, RawTarget
from ffspec.spec import packaged as spec
from ffspec.spec.step import fields_of

Packaged: TypeAlias = spec.Iris | spec.Wine | spec.BreastCancer | spec.Digits | spec.Diabetes


def read_packaged(source: Packaged) -> Raw:
    """Read all rows of a packaged data set, in scikit-learn's order."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{source.name}")(**fields_of(source))
    x = np.asarray(bunch.data, dtype=np.float64)
    names = tuple(str(name) for name in bunch.feature_names)
    known = source.known()
    if known.target == "values":
        return Raw(columns=list(x.T), names=names, target=RawTarget(values=bunch.target, kind="values"))
    classes = tuple(range(source.n_class)) if isinstance(source, spec.Digits) else tuple(map(str, bunch.target_names))
    target = RawTarget(values=bunch.target.astype(np.int64), kind="classes", numeric=known.numeric, classes=classes)
    return Raw(columns=list(x.T), names=names, target=target)
