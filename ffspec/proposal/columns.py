"""What a column of a table is good for: a number, a category, or nothing a network could learn from, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ffspec.data.columns import MOST_LEVELS
from ffspec.data.problems import counted, some
from ffspec.diagnostics import brief
from ffspec.proposal.scales import order_of

if TYPE_CHECKING:
    from ffspec.data.profile import ColumnProfile

Role: TypeAlias = Literal["number", "category", "ordered", "date", "none"]

FEW = 20
"""So many different values may all be different and still be categories, or numbers that count something."""
FREE_WORDS = 3.0
"""Texts that are nearly all different and have so many blanks on average are sentences."""
SKEWED = 3.0
SHOWN = 24
"""Characters of a cell that a comment shows."""

IDENTIFIERS = frozenset(
    {"id", "ids", "uuid", "guid", "key", "index", "idx", "rownames", "rownumber", "rowid", "unnamed"}
)
CODES = frozenset(
    {"code", "zip", "zipcode", "plz", "postcode", "postal", "type", "kind", "category", "cluster", "region"}
)
"""Words in the name of a column of whole numbers that names things instead of counting them."""
TIMES = frozenset({"year", "month", "week", "day", "date", "time", "hour", "minute", "second", "step", "t", "age"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a column."""

    column: ColumnProfile
    role: Role
    reason: str = ""
    """Why it is left out, or read as it is."""
    notes: tuple[str, ...] = ()
    """What its reader should know of it, though it stays."""
    groups: bool = False
    """Whether it is left out because it names things that have several rows each."""
    skewed: str = ""
    """How far a column of numbers that is skewed reaches."""
    order: tuple[str, ...] = ()
    """The levels of an ordered category, the lowest first."""

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name

    @property
    def used(self) -> bool:
        """Whether it is predicted from."""
        return self.role != "none"

    def dropped(self, reason: str) -> Verdict:
        """Return the verdict that leaves the column out."""
        return Verdict(column=self.column, role="none", reason=reason)


def judge(column: ColumnProfile, *, text: bool) -> Verdict:
    """Say what becomes of a column, looked at alone.

    Args:
        column: What it holds.
        text: Whether the file is a text file, in which cells can be declared missing.
    """
    reason = _useless(column, text=text)
    if reason is not None:
        return Verdict(column=column, role="none", reason=reason, groups=_has_groups(column))
    match column.kind:
        case "dates":
            return Verdict(column=column, role="date")
        case "numbers":
            return _number(column)
        case "booleans":
            return Verdict(column=column, role="category")
        case _:
            return _category(column)


def words(name: str) -> set[str]:
    """Return the words a name is made of, in lower case: customerID, customer_id and "customer id" alike."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return {word for word in re.split(r"[\W_]+", parted.lower()) if word}


def shown(value: object) -> str:
    """Return a cell as a comment shows it."""
    return repr(brief(value if isinstance(value, str) else str(value), SHOWN))


def share(part: int, whole: int) -> str:
    """Return `3 %`, or `<1 %` for what is less."""
    percent = 100 * part / whole
    return "<1 %" if 0 < percent < 0.95 else f"{percent:.0f} %"


def _useless(column: ColumnProfile, *, text: bool) -> str | None:
    """Say why nothing can be learnt from a column as the spec could read it."""
    if column.kind == "empty":
        return "has no value at all"
    if column.kind == "other":
        return f"of type {column.values.dtype}: neither numbers nor texts"
    if column.name == "":
        return "has no name: row numbers, most likely"
    if column.present < max(5, column.rows // 100):
        return f"has a value in {counted(column.present, 'row')} only"
    if column.kind in ("numerals", "mixed"):
        return _unreadable(column, text=text)
    if column.kind == "numbers" and column.strange and not text:
        return f"holds {_where(column)}: numbers must be finite"
    if column.distinct == 1 and (column.kind == "numbers" or not column.missing):
        return f"is {_level(column)} in every row"
    others = column.present - next(iter(column.counts().values()))
    if not column.missing and others <= max(1, column.rows // 1000) and column.distinct > 1 and column.rows > 2 * FEW:
        return f"is {_level(column)} in all rows but {others}"
    if column.kind == "dates" and not column.iso:
        return f"dates such as {_where(column, 1)}; written as 2026-01-31 they can be used"
    return _identifier(column)


def _level(column: ColumnProfile) -> str:
    """Return the most frequent value, a text in quotes."""
    value = next(iter(column.counts()))
    return shown(value) if column.kind == "texts" else value


def _where(column: ColumnProfile, most: int = 2) -> str:
    return some(f"{shown(cell)} in row {row}" for cell, row in column.strange[:most])


def _unreadable(column: ColumnProfile, *, text: bool) -> str | None:
    """Say what a column of half-readable numbers is left out for; None where it can be a category."""
    if column.kind == "mixed":
        few = column.distinct <= FEW
        return None if few else f"numbers and texts: {_where(column)}; write numbers in the file"
    kind = "numbers written as texts" if text else "numbers kept as texts"
    return f"{kind}: {_where(column)}; write plain numbers in the file"


def _identifier(column: ColumnProfile) -> str | None:
    """Say why a column only names rows; None where it does not."""
    if column.kind not in ("numbers", "texts") or column.distinct <= FEW:
        return None
    if _has_groups(column):
        rows = column.present / column.distinct
        return f"names {column.distinct:,} things, each in {rows:.2g} rows on average"
    if column.kind == "numbers":
        return _row_number(column)
    blanks = float(column.values.drop_nulls().str.count_matches(" ").mean() or 0.0)  # type: ignore[arg-type]
    if column.distinct > 0.3 * column.present and blanks >= FREE_WORDS:
        return "free text: sentences are no categories"
    if column.distinct == column.present:
        return "a different text in every row: it names the row"
    if column.distinct > MOST_LEVELS or column.distinct > column.rows / 2:
        return f"{column.distinct:,} different texts in {column.rows:,} rows: names, not categories"
    return None


def _row_number(column: ColumnProfile) -> str | None:
    """Say why a column of numbers only counts or names the rows."""
    if not column.whole or column.distinct < column.present:
        return None
    known = column.values.drop_nulls()
    low, high = int(known.min()), int(known.max())  # type: ignore[arg-type]
    if high - low == len(known) - 1 and TIMES.isdisjoint(words(column.name)):
        return f"counts the rows, from {low} to {high}"
    return "a different number in every row: it names the row" if _is_identifier(column.name) else None


def _is_identifier(name: str) -> bool:
    return not IDENTIFIERS.isdisjoint(words(name)) or name.endswith(("ID", "Id"))


def _has_groups(column: ColumnProfile) -> bool:
    """Whether a column names things that have several rows each, too many to be categories."""
    if column.kind not in ("numbers", "texts") or not FEW < column.distinct < column.present:
        return False
    return _is_identifier(column.name) and column.present < 50 * column.distinct


def _number(column: ColumnProfile) -> Verdict:
    said = words(column.name)
    codes = not (CODES | IDENTIFIERS).isdisjoint(said)
    if column.whole and codes and 3 <= column.distinct <= min(100, column.present // 10):
        return Verdict(column=column, role="category", reason="numbers that name things")
    notes = []
    if column.strange:
        cell, row = column.strange[0]
        notes.append(f"{shown(cell)} in row {row} counts as missing")
    spread = ""
    if skewness(column) > SKEWED:
        low, middle, high = (_figure(column.values, name) for name in ("min", "median", "max"))
        spread = f"from {low} to {high}, median {middle}"
    return Verdict(column=column, role="number", notes=tuple(notes), skewed=spread)


def _figure(values: object, name: str) -> str:
    return f"{float(getattr(values, name)()):.4g}"


def skewness(column: ColumnProfile) -> float:
    """Return the absolute skewness of a column of numbers (the third standardised moment); 0 where it has none."""
    found = column.values.cast(float).skew()
    return 0.0 if found is None or found != found else abs(found)  # noqa: PLR0124 - nan


def _category(column: ColumnProfile) -> Verdict:
    counts = column.counts()
    notes = list(_variants(counts))
    rare = [level for level, rows in counts.items() if rows < 5]
    if len(counts) > FEW:
        more = f", {len(rare):,} of them in fewer than 5 rows" if rare else ""
        notes.append(f"{len(counts):,} levels{more}")
    order = order_of(list(counts))
    if order is not None:
        return Verdict(column=column, role="ordered", notes=tuple(notes), order=order)
    return Verdict(column=column, role="category", notes=tuple(notes))


def _variants(counts: dict[str, int]) -> list[str]:
    """Return a note for levels that differ only in case, blanks or hyphens."""
    alike: dict[str, list[str]] = {}
    for level in counts:
        alike.setdefault(re.sub(r"[\s_-]+", "", level).casefold(), []).append(level)
    groups = [group for group in alike.values() if len(group) > 1]
    told = [some([f"{shown(level)} ({counts[level]:,})" for level in group]) for group in groups[:2]]
    more = f", and {len(groups) - 2} more such" if len(groups) > 2 else ""
    return [f"one level in several spellings? {'; '.join(told)}{more}"] if told else []
