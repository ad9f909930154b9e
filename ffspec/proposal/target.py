"""The target: whether it is classes or numbers, and how its rows are spread over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ffspec.data.columns import MOST_LEVELS
from ffspec.data.problems import counted, problem, some
from ffspec.proposal.columns import shown, skewness
from ffspec.spec import sources

if TYPE_CHECKING:
    from ffspec.data.profile import ColumnProfile

Task: TypeAlias = Literal["classification", "regression"]

PER_CLASS = 7
"""With fewer rows for each class the smallest split has not one of each; whole numbers are amounts then."""
LEAST = 3
"""Rows of a class for each of three splits to have one."""
FORGONE = 0.05
"""The rows of rarer classes are left out where they are no more than this share."""
UNEQUAL = 0.8
"""Above this share of one class, accuracy says little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is to be predicted."""

    column: ColumnProfile
    task: Task
    reason: str
    """Why it is taken for that."""
    counts: dict[str, int]
    """The classes with their rows, the most frequent first; none for numbers."""
    rare: tuple[str, ...] = ()
    """Classes that are left out with their rows, for there are too few to learn and to test."""

    @property
    def majority(self) -> float:
        """The share of the most frequent class."""
        return next(iter(self.counts.values())) / sum(self.counts.values())

    @property
    def unequal(self) -> bool:
        """Whether the classes are so unequal that accuracy hides whether the rare ones are told at all."""
        rarest = min(self.counts.values()) / sum(self.counts.values())
        return self.majority >= UNEQUAL or rarest * len(self.counts) < 0.2

    @property
    def skewed(self) -> bool:
        """Whether a few large numbers outweigh the others in a squared error."""
        return not self.counts and skewness(self.column) > 2


def settle(column: ColumnProfile, wanted: Task | None, *, text: bool) -> Target:
    """Decide whether a target is classes or numbers.

    Args:
        column: The target of the rows that have one.
        wanted: What it shall be; what it looks like if left out.
        text: Whether the file is a text file, in which cells can be declared missing.

    Raises:
        SpecError: FF032 it has no value, FF033 its cells are no plain numbers, FF034 it is neither, or not as wanted.
    """
    named = f"the target {column.name!r}"
    if column.kind == "empty":
        raise problem("FF032", f"every row must have a target, but {named} has no value at all", ())
    if column.kind == "numerals":
        found = some(f"{cell!r} in row {row}" for cell, row in column.strange[:3])
        raise problem("FF033", f"{named} must hold plain numbers, found {found}", (), "write plain numbers in the file")
    if column.kind == "mixed":
        found = some(f"{cell!r} in row {row}" for cell, row in column.strange[:3])
        hint = "write numbers, or leave such cells empty; classes may have numbers as names if all of them do"
        raise problem("FF033", f"{named} must hold numbers, as most of its cells do, found {found}", (), hint)
    if column.kind in ("dates", "other"):
        what = "dates" if column.kind == "dates" else str(column.values.dtype)
        raise problem("FF034", f"{named} must be classes or numbers, found {what}", ())
    if column.distinct < 2:
        found = shown(column.values.drop_nulls()[0])
        raise problem("FF034", f"{named} must vary, but is {found} in every row", ())
    task, reason = _numbers(column, wanted) if column.kind == "numbers" else _texts(column, wanted)
    counts = column.counts() if task == "classification" else {}
    rare = _rare(column, counts, text=text)
    counts = {label: rows for label, rows in counts.items() if label not in rare}
    return Target(column=column, task=task, reason=reason, counts=counts, rare=rare)


def _rare(column: ColumnProfile, counts: dict[str, int], *, text: bool) -> tuple[str, ...]:
    """Return the classes with too few rows to learn and to test, if they can be left out.

    Raises:
        SpecError: FF034, they cannot; FF035, there are too many classes for so few rows.
    """
    rare = {label: rows for label, rows in counts.items() if rows < LEAST}
    few = sum(rare.values()) <= FORGONE * column.present and len(rare) <= 10
    if rare and not (few and text and column.kind == "texts" and len(counts) - len(rare) >= 2):
        found = some(f"{shown(label)} has {counted(rows, 'row')}" for label, rows in rare.items())
        message = f"every class of the target {column.name!r} must have at least {LEAST} rows, but {found}"
        raise problem("FF034", message, (), "leave such rows out of the file, or gather more of them")
    kept = len(counts) - len(rare)
    if counts and column.present - sum(rare.values()) < PER_CLASS * kept:
        message = f"for {kept} classes of {column.name!r} there must be at least {PER_CLASS * kept} rows with a target"
        raise problem("FF035", f"{message}, found {column.present - sum(rare.values())}", ())
    return tuple(rare)


def _texts(column: ColumnProfile, wanted: Task | None) -> tuple[Task, str]:
    if wanted == "regression":
        found = some(shown(level) for level in column.counts())
        raise problem("FF034", f"'--task regression' needs numbers, but the target {column.name!r} holds {found}", ())
    if column.distinct > MOST_LEVELS or (column.distinct > sources.FEW and column.distinct > column.present / 2):
        found = f"{column.distinct:,} different texts in {counted(column.present, 'row')}"
        raise problem("FF034", f"the target {column.name!r} must be classes or numbers, found {found}", ())
    return "classification", "truth values" if column.kind == "booleans" else "texts"


def _numbers(column: ColumnProfile, wanted: Task | None) -> tuple[Task, str]:
    values, few = column.values, column.distinct <= sources.FEW
    low, high = (f"{float(end):.4g}" for end in (values.min(), values.max()))  # type: ignore[arg-type]
    if not column.whole:
        if wanted == "classification":
            found = some(f"{value:g}" for value in values.filter(values % 1 != 0).unique().sort().to_list())
            message = f"'--task classification' needs classes, but the target {column.name!r} holds fractions: {found}"
            raise problem("FF034", message, ())
        return "regression", f"numbers from {low} to {high}"
    # Codes of classes are chosen to be used; amounts have values that are rare.
    classes = few and column.present >= PER_CLASS * column.distinct
    classes = classes and (column.distinct == 2 or min(column.counts().values()) >= LEAST)
    if wanted == "regression" or (wanted is None and not classes):
        return "regression", f"{column.distinct:,} different whole numbers from {low} to {high}"
    if wanted is None and column.distinct > 2:
        return "classification", f"{column.distinct} different whole numbers; write regression if they are amounts"
    return "classification", f"{column.distinct} different whole numbers"
