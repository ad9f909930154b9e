"""What a column of a table holds, told from its cells, and which of them stand in the way of reading it so.

N rows. Nothing is changed or judged here: what becomes of a column is for others to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from ffspec.data.dates import read_dates

Kind: TypeAlias = Literal["numbers", "booleans", "texts", "dates", "numerals", "mixed", "empty", "other"]
"""numerals: numbers that only people can read, such as `1,234` or `12 %`. mixed: numbers in most cells, texts in the
others. other: a type of Parquet that is neither number, truth value, date nor text."""

MARKS = frozenset(
    {"na", "n/a", "n.a.", "#n/a", "nan", "null", "?", "none", "nil", "-", "--", ".", "missing", "unknown"}
)
"""Texts, in lower case, that stand for a missing cell among numbers or dates."""
SURE = frozenset({"na", "n/a", "n.a.", "#n/a", "nan", "null", "?"})
"""Those that do so among texts too, where `none` or `unknown` may be a level."""
SLIPS, SLIP_SHARE = 5, 0.05
"""So many different texts, in such a share of the cells, may be slips in a column of numbers."""

NUMERAL = (
    r"^[-+(]?\s?[$€£¥]?\s?[-+]?"
    r"(?:\d{1,3}(?:[,' \u{a0}]\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:[.,]\d+)?)"
    r"\s?(?:[%€$£¥°]|[a-zA-Zµ²³]{1,4})?\)?$"
)
"""Numbers with marks of thousands, a decimal comma, a currency or a unit."""
GROUPED = r"\d[,.' ]\d|[%€$£¥]"
"""What says that a number was meant."""

FORMATS = tuple(
    f"{day}{hour}"
    for day in ("%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y")
    for hour in ("", " %H:%M:%S%.f", " %H:%M", " %I:%M %p", " %I:%M:%S %p")
)
"""How dates and times are written elsewhere, as chrono, the library behind polars, spells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What one column holds."""

    name: str
    kind: Kind
    values: pl.Series = field(repr=False, compare=False)
    """Shape (N,): the cells as `kind` says, null where one is missing."""
    marks: tuple[str, ...] = ()
    """Texts that stand for a missing cell, as they are written."""
    strange: tuple[tuple[str, int], ...] = ()
    """The first cells that are no plain numbers where most are, each with its row, counted from 1."""
    iso: bool = False
    """Whether dates are written as ISO 8601 says, so that a spec can name them."""
    distinct: int = 0
    """Different values, a missing one not counted."""

    @property
    def rows(self) -> int:
        """All cells."""
        return len(self.values)

    @property
    def missing(self) -> int:
        """Cells without a value."""
        return self.values.null_count()

    @property
    def present(self) -> int:
        """Cells with a value."""
        return self.rows - self.missing

    @property
    def whole(self) -> bool:
        """Whether all numbers are whole."""
        known = self.values.drop_nulls()
        return self.kind == "numbers" and (known.dtype.is_integer() or bool((known % 1 == 0).all()))

    def counts(self) -> dict[str, int]:
        """Return the levels as texts, the most frequent first, each with its rows."""
        known = self.values.drop_nulls()
        if known.dtype.is_float() and self.whole:
            known = known.cast(pl.Int64, strict=False)
        table = known.cast(pl.String).value_counts(name="rows")
        table = table.sort("rows", table.columns[0], descending=[True, False])
        return dict(zip(table[table.columns[0]].to_list(), table["rows"].to_list(), strict=True))


def profile(series: pl.Series, *, text: bool) -> ColumnProfile:
    """Say what a column holds.

    Args:
        series: The cells; of a text file each is a text, or null where it is empty.
        text: Whether the file is a text file, whose cells are read as numbers where all of them are.
    """
    # Under its own name, a column called * or ^a$ would be a pattern to polars.
    name, series = series.name, series.alias("cells")
    dtype = series.dtype
    if series.null_count() == len(series):
        return ColumnProfile(name=name, kind="empty", values=series)
    if dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    if series.dtype == pl.String:
        found = _of_texts(series, name, text=text)
        return found if found is not None else _texts(series, name, text=text)
    if dtype.is_numeric():
        return _numbers(series, name)
    if dtype == pl.Boolean:
        return _made(name, "booleans", series)
    if dtype in (pl.Date, pl.Datetime):
        return _made(name, "dates", series, iso=True)
    return ColumnProfile(name=name, kind="other", values=series)


def _made(  # noqa: PLR0913 - the parts of a profile
    name: str,
    kind: Kind,
    values: pl.Series,
    *,
    marks: pl.Series | None = None,
    strange: tuple[tuple[str, int], ...] = (),
    iso: bool = False,
) -> ColumnProfile:
    listed = () if marks is None else tuple(marks.drop_nulls().unique(maintain_order=True).to_list())
    distinct = values.drop_nulls().n_unique()
    return ColumnProfile(name=name, kind=kind, values=values, marks=listed, strange=strange, iso=iso, distinct=distinct)


def _numbers(series: pl.Series, name: str) -> ColumnProfile:
    """Return a column of Parquet numbers; one that is not finite cannot be trained on."""
    if series.dtype.is_float():
        infinite = np.flatnonzero(series.is_infinite().fill_null(value=False).to_numpy()).tolist()
        values = series.cast(pl.Float64).fill_nan(None)
        strange = tuple((str(series[row]), row + 1) for row in infinite[:SLIPS])
        return _made(name, "numbers", values, strange=strange)
    return _made(name, "numbers", series.cast(pl.Float64) if series.dtype.is_decimal() else series)


def _texts(series: pl.Series, name: str, *, text: bool) -> ColumnProfile:
    missing = (series.str.to_lowercase().is_in(list(SURE)) | _infinite(series)).fill_null(value=True)
    if not text:  # where no text can be declared missing, it is a level
        return _made(name, "texts", series)
    return _made(name, "empty" if missing.all() else "texts", series.set(missing, None), marks=series.filter(missing))


def _infinite(texts: pl.Series) -> pl.Series:
    return texts.cast(pl.Float64, strict=False).is_infinite().fill_null(value=False)


def _of_texts(series: pl.Series, name: str, *, text: bool) -> ColumnProfile | None:
    """Read texts as numbers, truth values or dates, if nearly all of them are; None where they are texts indeed."""
    if not text:
        return _of_kept_texts(series, name)
    infinite = _infinite(series)
    marked = (series.str.to_lowercase().is_in(list(MARKS)) | infinite).fill_null(value=False)
    rest = series.set(marked, None)
    if rest.null_count() == len(rest):  # nothing but marks: they may be levels
        return None
    lower = rest.str.to_lowercase()
    if lower.drop_nulls().is_in(["true", "false"]).all():
        return _made(name, "booleans", lower == "true", marks=series.filter(marked))
    numbers = rest.cast(pl.Float64, strict=False).fill_nan(None)
    bad = rest.is_not_null() & numbers.is_null()
    if int(bad.sum()) * 2 >= len(rest) - rest.null_count():
        return _dates(rest, series, name) or _numerals(rest, series, bad, name)
    if not _are_marks(rest.filter(bad), numbers):
        return _numerals(rest, series, bad, name) or _made(name, "mixed", rest, strange=_first(series, bad))
    whole = numbers.cast(pl.Int64, strict=False)
    values = whole if (whole == numbers).all() and whole.null_count() == numbers.null_count() else numbers
    strange = _first(series, bad | infinite)
    return _made(name, "numbers", values, marks=series.filter(marked | bad), strange=strange)


def _of_kept_texts(series: pl.Series, name: str) -> ColumnProfile | None:
    """Look at texts of Parquet, which stay texts whatever they say, unless all are dates."""
    numbers = series.cast(pl.Float64, strict=False)
    if numbers.null_count() == series.null_count() and numbers.drop_nulls().n_unique() > FEW_LEVELS:
        return _made(name, "numerals", series, strange=_first(series, series.is_not_null()))
    return _dates(series, series, name)


def _are_marks(texts: pl.Series, numbers: pl.Series) -> bool:
    """Whether the texts among numbers may be taken for missing cells: slips, or words that stand for one."""
    distinct = texts.n_unique()
    if texts.str.contains(GROUPED).any():
        return False
    digits = bool(texts.str.contains(r"\d").any())
    if digits and numbers.drop_nulls().n_unique() <= FEW_LEVELS:  # such as `10+` behind 0 to 9
        return False
    return distinct <= SLIPS and (len(texts) <= max(SLIP_SHARE * len(numbers), 1) or (distinct <= 2 and not digits))


FEW_LEVELS = 20
"""Texts of numbers of which there are so few are levels all the same."""


def _first(series: pl.Series, mask: pl.Series) -> tuple[tuple[str, int], ...]:
    rows = np.flatnonzero(mask.fill_null(value=False).to_numpy())[:SLIPS].tolist()
    return tuple((str(series[row]), row + 1) for row in rows)


def _numerals(rest: pl.Series, series: pl.Series, bad: pl.Series, name: str) -> ColumnProfile | None:
    """Return numbers that only people can read, if nearly all cells are numbers of some kind."""
    strange = rest.filter(bad)
    like = strange.str.contains(NUMERAL)
    present = len(rest) - rest.null_count()
    if int((~like).sum()) > SLIP_SHARE * present or rest.n_unique() <= FEW_LEVELS:
        return None
    return _made(name, "numerals", rest, strange=_first(series, bad))


def _dates(rest: pl.Series, series: pl.Series, name: str) -> ColumnProfile | None:
    """Return dates, if all cells are: as ISO 8601 says, or in one other format."""
    known, marks = rest.drop_nulls(), series.filter(rest.is_null())
    first = known.head(100)
    if not len(read_dates(first.to_list())[1]):
        moments, failed = read_dates(rest.to_list())
        return None if len(failed) else _made(name, "dates", pl.Series(moments), marks=marks, iso=True)
    for form in FORMATS:
        if first.str.to_datetime(form, strict=False).null_count():
            continue
        values = rest.str.to_datetime(form, strict=False)
        if values.null_count() == rest.null_count():
            return _made(name, "dates", values, marks=marks, strange=_first(series, rest.is_not_null()))
    return None
