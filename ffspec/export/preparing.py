"""What is done to the features: filling, scaling and one-hot columns, fitted on the training rows alone.

Behind this section, `x` holds the features of all rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ffspec.data.fitted import Number
from ffspec.export.tables import is_word
from ffspec.export.text import bracketed, literal

if TYPE_CHECKING:
    from ffspec.export.script import Script
    from ffspec.export.subject import Subject

ONE_HOT = '''\
def one_hot(column):
    """A column for each level seen in training, and one for anything else."""
    levels = sorted(set(column[train]) - {None})
    hot = np.column_stack([column == level for level in levels])
    return np.column_stack([hot, ~hot.any(axis=1)])'''
NO_LEVELS = '''\
def one_hot(column):
    """A column for each level seen in training, and one for anything else."""
    levels = sorted(set(column[train]) - {None})
    hot = np.array([[cell == level for level in levels] for cell in column]).reshape(len(column), -1)
    return np.column_stack([hot, ~hot.any(axis=1)])'''
FILLS = {"median": "np.median(known)", "mean": "known.mean()"}
TOLD = {
    "standardize": "Scale a column to mean 0 and deviation 1",
    "minmax": "Scale a column to the range from 0 to 1",
    "robust": "Scale a column to median 0 and interquartile range 1",
}


def add_preparation(script: Script, subject: Subject) -> None:
    """Add what prepares the features, if anything does."""
    prepare = subject.spec.dataset.prepare
    words = [index for index in range(len(subject.raw.names)) if is_word(subject, index)]
    filling = prepare.missing != "error" and bool(np.isnan(_numbers(subject)).any())
    if prepare.scale == "none" and not filling and not words:
        return
    script.use("numpy as np")
    numbers = len(words) < len(subject.raw.names)
    if numbers and (prepare.scale != "none" or filling):
        script.add(_scaler(subject, filling=filling))
    if words:
        _add_mixed(script, subject, scaled=prepare.scale != "none" or filling)
    else:
        script.add("x = np.column_stack([prepare(column) for column in x.T])")


def _numbers(subject: Subject) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    columns = [index for index in range(len(subject.raw.names)) if not is_word(subject, index)]
    return subject.raw.x[:, columns]


def _add_mixed(script: Script, subject: Subject, *, scaled: bool) -> None:
    levels = [column.levels for column in subject.preparation.columns if not isinstance(column, Number)]
    script.add(ONE_HOT if all(levels) else NO_LEVELS)
    items = []
    for index, name in enumerate(subject.raw.names):
        column = f"table[{literal(name)}].to_numpy()"
        if is_word(subject, index):
            items.append(f"one_hot({column})")
        else:
            items.append(f"prepare({column})" if scaled else column)
    script.add(bracketed("x = np.column_stack([", items, "])") if len(items) < 2 else _stacked(items))


def _stacked(items: list[str]) -> str:
    return "\n".join(["x = np.column_stack(", "    [", *(f"        {item}," for item in items), "    ]", ")"])


def _scaler(subject: Subject, *, filling: bool) -> str:
    prepare = subject.spec.dataset.prepare
    lines = ["def prepare(column):"]
    if filling:
        what = "Fill" if prepare.scale == "none" else "Fill and scale"
        lines += [f'    """{what} a column, by what the training rows say."""']
        lines += ["    known = column[train][~np.isnan(column[train])]"]
        if prepare.missing == "most_frequent":
            lines += ["    values, counts = np.unique(known, return_counts=True)"]
        value = FILLS.get(prepare.missing, "values[counts.argmax()]")
        lines.append(f"    column = np.where(np.isnan(column), {value}, column)")
    else:
        lines.append(f'    """{TOLD[prepare.scale]}, by what the training rows say."""')
    if prepare.scale == "none":
        return "\n".join([*lines, "    return column"])
    lines.append("    fit = column[train]")
    return "\n".join([*lines, *_scaled(subject, prepare.scale)])


def _scaled(subject: Subject, scale: str) -> list[str]:
    """Return the lines that scale, with what constant columns need where there are some."""
    numbers = [column for column in subject.preparation.columns if isinstance(column, Number)]
    fitted = [_filled(subject, index) for index in range(len(subject.raw.names)) if not is_word(subject, index)]
    lines = []
    if any(column.min() == column.max() for column in fitted):
        lines += ["    if fit.min() == fit.max():  # a constant column becomes 0", "        return column - fit[0]"]
    varied = [(number, column) for number, column in zip(numbers, fitted, strict=True) if column.min() != column.max()]
    if scale == "standardize":
        if any(number.scale != column.std() for number, column in varied):
            lines += [
                "    eps = np.finfo(np.float64).eps",
                "    if fit.var() <= len(fit) * (eps * fit.var() + len(fit) * (fit.mean() * eps) ** 2):",
                "        return column - fit.mean()  # constant but for rounding",
            ]
        return [*lines, "    return (column - fit.mean()) / fit.std()"]
    if scale == "minmax":
        center, spread, setup = "fit.min()", "(fit.max() - fit.min())", []
        plain = all(number.scale == float(column.max() - column.min()) for number, column in varied)
    else:
        center, spread = "np.median(fit)", "(high - low)"
        setup = ["    low, high = np.percentile(fit, (25.0, 75.0))"]
        plain = all(number.scale == float(np.subtract(*np.percentile(c, (75.0, 25.0)))) for number, c in varied)
    if not plain:
        setup += [
            f"    if {spread.strip('()') if scale == 'robust' else spread} < 10 * np.finfo(np.float64).eps:",
            f"        return column - {center}  # too narrow to be a scale",
        ]
    return [*lines, *setup, f"    return (column - {center}) / {spread}"]


def _filled(subject: Subject, index: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the training rows of a column of numbers as its scale is fitted to them."""
    column = subject.preparation.columns[index]
    values = subject.raw.x[subject.rows["train"]][:, index]
    fill = column.fill if isinstance(column, Number) and column.fill is not None else np.nan
    return np.where(np.isnan(values), fill, values)
