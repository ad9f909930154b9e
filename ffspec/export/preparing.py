"""What is done to the features: filling, scaling and categories, fitted on the training rows alone.

Behind this section, `x` holds the features of all rows.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ffspec.data import normal
from ffspec.data.fitted import Number
from ffspec.data.scaling import EPSILON
from ffspec.export.tables import is_word
from ffspec.export.text import bracketed, literal

if TYPE_CHECKING:
    from ffspec.export.script import Script
    from ffspec.export.subject import Subject

LEVELS = "    levels = sorted(set(column[train]) - {None})"
FREQUENT = "    levels = [level for level in levels if (column[train] == level).sum() >= {count}]"
HOT = """\
    hot = np.column_stack([column == level for level in levels])
    return np.column_stack([hot, ~hot.any(axis=1)])"""
HOT_OF_NONE = """\
    hot = np.array([[cell == level for level in levels] for cell in column]).reshape(len(column), -1)
    return np.column_stack([hot, ~hot.any(axis=1)])"""
CODES = """\
    code = {level: index for index, level in enumerate(levels)}
    return np.array([code.get(cell, len(levels)) for cell in column])"""
CLIP = '''\
def clip(x):
    """Keep numbers within {bound}, smoothly: x / sqrt(1 + (x / {bound})^2)."""
    return x / np.hypot(1.0, x / {bound})'''
GAPS = '''\
def with_gaps(column):
    """A column, and where it has gaps, if the training rows have some."""
    gaps = np.isnan(column)
    return np.column_stack([{call}(column), gaps]) if gaps[train].any() else {call}(column)'''
FILLS = {"median": "np.median(known)", "mean": "known.mean()"}
TOLD = {
    "standardize": "Scale a column to mean 0 and deviation 1",
    "minmax": "Scale a column to the range from 0 to 1",
    "robust": "Scale a column to median 0 and interquartile range 1",
    "quantile": "Bring a column to a normal distribution, by its place among quantiles",
}


def add_preparation(script: Script, subject: Subject) -> None:
    """Add what prepares the features, if anything does."""
    words = [index for index in range(len(subject.raw.names)) if is_word(subject, index)]
    numbers = _number_columns(subject)
    call = _add_scaling(script, subject) if numbers else ""
    marked = any(number.indicator for number in numbers)
    if marked:
        script.add(GAPS.format(call=call))
    if call or words:
        script.use("numpy as np")
    # The parts of a date are missing together, and only the last of them is marked.
    if words or (marked and any(number.raw != number.name for number in numbers)):
        _add_mixed(script, subject, call, words=bool(words))
    elif call:
        script.add(f"x = np.column_stack([{'with_gaps' if marked else call}(column) for column in x.T])")


def _add_scaling(script: Script, subject: Subject) -> str:
    """Add the functions that prepare a column of numbers; return the name of the one to call, or nothing."""
    prepare = subject.spec.dataset.prepare
    filling = prepare.missing != "error" and bool(np.isnan(_numbers(subject)).any())
    call = ""
    if prepare.smooth_clip is not None:
        script.add(CLIP.format(bound=literal(prepare.smooth_clip)))
        call = "clip"
    if prepare.scale == "quantile" and any(number.quantiles for number in _number_columns(subject)):
        script.use("scipy.special", "ndtri")
        script.add(_normal_scores())
    if prepare.scale != "none" or filling:
        script.add(_scaler(subject, filling=filling))
        call = "prepare"
    return call


def _number_columns(subject: Subject) -> list[Number]:
    return [column for column in subject.preparation.columns if isinstance(column, Number)]


def _numbers(subject: Subject) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    columns = [index for index in range(len(subject.raw.names)) if not is_word(subject, index)]
    return np.stack([subject.raw.cells(index) for index in columns], axis=1)


def _normal_scores() -> str:
    """Return the function as ffspec has it, without its types; it imports what it needs at the top of the script."""
    text = Path(normal.__file__).read_text(encoding="utf-8")
    text = text[text.index("def normal_scores") :].rstrip()
    text = text.replace("(x: Floats, quantiles: Floats) -> Floats", "(x, quantiles)")
    return re.sub(r"    # scipy .*\n    from scipy\S* import \w+\n\n", "", text)


def _add_mixed(script: Script, subject: Subject, call: str, *, words: bool) -> None:
    """Add the features column by column; without words they are columns of `x`, else of the table."""
    if words:
        script.add(_words(subject))
    word = "codes" if subject.spec.dataset.prepare.categories == "codes" else "one_hot"
    items = []
    for index, (name, fitted) in enumerate(zip(subject.raw.names, subject.preparation.columns, strict=True)):
        column = f"table[{literal(name)}].to_numpy()" if words else f"x[:, {index}]"
        function = word
        if isinstance(fitted, Number):
            function = "with_gaps" if fitted.indicator else call
        items.append(f"{function}({column})" if function else column)
    script.add(bracketed("x = np.column_stack([", items, "])") if len(items) < 2 else _stacked(items))


def _words(subject: Subject) -> str:
    """Return the function that makes features of a column of categories."""
    prepare = subject.spec.dataset.prepare
    seen = "seen in training" if prepare.min_rows == 1 else f"that {prepare.min_rows} training rows have"
    lines = [LEVELS, *([FREQUENT.format(count=prepare.min_rows)] if prepare.min_rows > 1 else [])]
    if prepare.categories == "codes":
        told = f'    """The index of each level {seen}, and the index behind them for anything else."""'
        return "\n".join(["def codes(column):", told, *lines, CODES])
    levels = [column.levels for column in subject.preparation.columns if not isinstance(column, Number)]
    told = f'    """A column for each level {seen}, and one for anything else."""'
    return "\n".join(["def one_hot(column):", told, *lines, HOT if all(levels) else HOT_OF_NONE])


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
    if prepare.scale != "none":
        lines += ["    fit = column[train]", *_scaled(subject, prepare.scale)]
    else:
        lines.append("    return column")
    if prepare.smooth_clip is not None:
        lines = [re.sub(r"return (.*?)(  #.*)?$", r"return clip(\1)\2", line) for line in lines]
    return "\n".join(lines)


def _scaled(subject: Subject, scale: str) -> list[str]:
    """Return the lines that scale, with what constant columns need where there are some."""
    numbers = _number_columns(subject)
    fitted = [_filled(subject, index) for index in range(len(subject.raw.names)) if not is_word(subject, index)]
    varied = [(number, column) for number, column in zip(numbers, fitted, strict=True) if column.min() != column.max()]
    lines = []
    if len(varied) < len(numbers):
        lines += ["    if fit.min() == fit.max():  # a constant column becomes 0", "        return column - fit[0]"]
    if scale == "quantile":
        if not varied:
            return ["    return column - fit[0]  # a constant column becomes 0"]
        count = len(varied[0][0].quantiles)
        lines.append(f"    quantiles = np.percentile(fit, np.linspace(0, 1, {count}) * 100)")
        return [*lines, "    return normal_scores(column, quantiles)"]
    if scale == "standardize":
        if any(number.scale != column.std() for number, column in varied):
            lines += [
                "    eps = np.finfo(np.float64).eps",
                "    if fit.var() <= len(fit) * (eps * fit.var() + len(fit) * (fit.mean() * eps) ** 2):",
                "        return column - fit.mean()  # constant but for rounding",
            ]
        return [*lines, "    return (column - fit.mean()) / fit.std()"]
    ranges = [float(column.max() - column.min()) for _, column in varied]
    if scale == "minmax":
        return [*lines, *_minmax(narrow=any(one < EPSILON for one in ranges))]
    middles = [float(np.subtract(*np.percentile(column, (75.0, 25.0)))) for _, column in varied]
    return [*lines, *_robust(ranges, middles)]


def _minmax(*, narrow: bool) -> list[str]:
    lines = []
    if narrow:
        lines += [
            "    if fit.max() - fit.min() < 10 * np.finfo(np.float64).eps:",
            "        return column - fit.min()  # too narrow to be a scale",
        ]
    return [*lines, "    return (column - fit.min()) / (fit.max() - fit.min())"]


def _robust(ranges: list[float], middles: list[float]) -> list[str]:
    """Return the lines for columns with such ranges and interquartile ranges."""
    lines = ["    low, high = np.percentile(fit, (25.0, 75.0))"]
    if all(middle >= EPSILON for middle in middles):
        return [*lines, "    return (column - np.median(fit)) / (high - low)"]
    lines += [
        "    if high - low < 10 * np.finfo(np.float64).eps:  # half of the numbers are equal",
        "        low, high = 0.0, (fit.max() - fit.min()) / 2",
    ]
    if any(middle < EPSILON and one / 2 < EPSILON for one, middle in zip(ranges, middles, strict=True)):
        lines += [
            "    if high - low < 10 * np.finfo(np.float64).eps:",
            "        return column - np.median(fit)  # too narrow to be a scale",
        ]
    return [*lines, "    return (column - np.median(fit)) / (high - low)"]


def _filled(subject: Subject, index: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the training rows of a column of numbers as its scale is fitted to them."""
    column = subject.preparation.columns[index]
    values = subject.raw.cells(index)[subject.rows["train"]]
    fill = column.fill if isinstance(column, Number) and column.fill is not None else np.nan
    return np.where(np.isnan(values), fill, values)
