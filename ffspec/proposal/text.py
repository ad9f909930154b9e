"""Writing a proposal: a spec whose comments say what was seen, and why it says what it says."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING

from ffspec.data.problems import counted, some
from ffspec.diagnostics import brief
from ffspec.proposal.columns import share, shown
from ffspec.scalars import notation
from ffspec.spec.recipes import RECIPES, Case

if TYPE_CHECKING:
    from ffspec.data.profile import ColumnProfile
    from ffspec.proposal.columns import Verdict
    from ffspec.proposal.target import Target

WIDTH = 110
"""Columns of a line at most, where it can be helped."""
APART = 44
"""Where a comment behind a value stands at most, so that one long value does not push all of them away."""
MANY = 20
"""Levels above which the rare ones are put together."""
TELLING = 0.01
"""With a smaller share of missing cells, that one is missing can tell nothing."""
NAMED = 10
"""Columns or classes that a comment names; it counts the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that a proposal is written from."""

    path: str
    """The data file, as seen from the spec's folder."""
    source: str
    """csv or parquet."""
    separator: str
    headless: bool
    rows: int
    repeated: int
    """Rows that repeat another."""
    unlabelled: int
    """Rows without a target."""
    target: Target
    verdicts: tuple[Verdict, ...]
    marks: tuple[str, ...]
    recipe: str
    by: ColumnProfile | None = None
    """The column whose equal values stay in one split."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of YAML and what is said of it."""

    text: str
    comment: str = ""


def write(found: Findings) -> str:
    """Return the spec."""
    blocks = [_heading(found), _recipe(found), _dataset(found), _judgement(found)]
    return "\n\n".join("\n".join(_aligned(block)) for block in blocks) + "\n"


def _aligned(lines: Sequence[Line]) -> Iterator[str]:
    """Put comments behind their values, one below the other; one that is too long stands above."""
    told = [line for line in lines if line.comment and line.text]
    column = max((len(line.text) for line in told if len(line.text) <= APART), default=0)
    for line in lines:
        margin = line.text[: len(line.text) - len(line.text.lstrip())]
        place = max(column, len(line.text)) + 2
        if not line.comment:
            yield line.text
        elif not line.text.strip():
            yield from _wrapped(line.comment, margin)
        elif place + 2 + len(line.comment) <= WIDTH:
            yield f"{line.text.ljust(place)}# {line.comment}"
        else:
            yield from _wrapped(line.comment, margin)
            yield line.text


def _wrapped(comment: str, margin: str) -> list[str]:
    lines = textwrap.wrap(
        re.sub(r" (<?\d+) %", "\u00a0\\1\u00a0%", comment),  # a share stays with what it is of
        WIDTH,
        initial_indent=f"{margin}# ",
        subsequent_indent=f"{margin}#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\u00a0", " ") for line in lines]


def _heading(found: Findings) -> list[Line]:
    used = sum(verdict.used for verdict in found.verdicts)
    what = "numbers" if not found.target.counts else f"{len(found.target.counts)} classes"
    name = brief(found.target.column.name, 60)
    lines = [
        Line("", f"Predicts {name!r}, {what}, from {counted(used, 'column')} of {found.path}: {found.rows:,} rows."),
        Line("", "Written by ffspec init from what the file holds. Change what you know better."),
    ]
    if found.headless:
        lines.append(Line("", "Do the columns have names? The first line looks like a row, and is read as the header."))
    if found.repeated:
        word = "repeats" if found.repeated == 1 else "repeat"
        told = f"{counted(found.repeated, 'row')} ({share(found.repeated, found.rows)}) {word} another"
        lines.append(Line("", f"{told}. If that is an accident, leave them out of the file."))
    return lines


def _recipe(found: Findings) -> list[Line]:
    told = "fills in network, loss, training and split; ffspec show --resolved writes them out"
    return [Line(f"recipe: {found.recipe}", told)]


def _dataset(found: Findings) -> list[Line]:
    return [
        Line("dataset:"),
        Line(f"  {found.source}:"),
        *_columns(found),
        *_table(found),
        *_split(found),
        *_prepare(found),
    ]


def _columns(found: Findings) -> Iterator[Line]:
    """Say what the columns are read as, and what is strange about some."""
    used = [verdict for verdict in found.verdicts if verdict.used]
    kinds = {"number": "numbers", "category": "categories", "ordered": "ordered categories", "date": "dates"}
    for role, word in kinds.items():
        of_role = [verdict for verdict in used if verdict.role == role]
        if of_role:
            yield Line("    ", f"{word}: {some([_named(verdict) for verdict in of_role], most=NAMED)}")
    holes = [verdict for verdict in used if verdict.column.missing]
    if holes:
        listed = some([f"{_name(v)} {share(v.column.missing, v.column.rows)}" for v in holes], most=NAMED)
        yield Line("    ", f"missing cells: {listed}")
    skewed = [f"{_name(v)} ({v.skewed})" for v in used if v.skewed]
    if skewed:
        yield Line("    ", f"skewed numbers: {some(skewed, most=4)}")
    noted = [f"{_name(verdict)}: {note}" for verdict in used for note in verdict.notes]
    yield from (Line("    ", note) for note in noted[: 2 * NAMED])
    if len(noted) > 2 * NAMED:
        yield Line("    ", f"and {len(noted) - 2 * NAMED} more remarks of this kind")


def _name(verdict: Verdict) -> str:
    return notation(brief(verdict.name, 40))


def _named(verdict: Verdict) -> str:
    levels = f" ({verdict.column.distinct:,})" if verdict.role in ("category", "ordered") else ""
    return f"{_name(verdict)}{levels}"


def _table(found: Findings) -> Iterator[Line]:
    """Write the arguments of the table."""
    target, column = found.target, found.target.column
    yield Line(f"    path: {notation(found.path)}")
    if found.source == "csv" and found.separator != ",":
        yield Line(f"    separator: {notation(found.separator)}")
    yield Line(f"    target: {notation(column.name)}", _spread(target))
    yield Line(f"    task: {target.task}", f"because it holds {target.reason}")
    if found.unlabelled or target.rare:
        yield Line("    missing_target: drop", _unlabelled(found))
    if found.marks:
        told = "these stand for a missing cell" if len(found.marks) > len(target.rare) else ""
        yield Line(f"    null_values: {notation(list(found.marks))}", told)
    codes = [verdict for verdict in found.verdicts if verdict.role == "category" and _is_code(verdict)]
    if codes:
        names = notation([verdict.name for verdict in codes])
        yield Line(f"    categorical: {names}", "these numbers name things, and count nothing")
    ordered = [verdict for verdict in found.verdicts if verdict.role == "ordered"]
    if ordered:
        yield Line("    ordered:", "read as 0, 1, 2 and so on")
        yield from (Line(f"      {notation(verdict.name)}: {notation(verdict.order)}") for verdict in ordered)
    dates = [verdict.name for verdict in found.verdicts if verdict.role == "date"]
    if dates:
        yield Line(f"    dates: {notation(dates)}", "read as year, month, day, weekday, hour and minute")
    dropped = [verdict for verdict in found.verdicts if not verdict.used]
    if dropped:
        yield Line("    drop:")
        yield from (Line(f"      - {notation(verdict.name)}", verdict.reason) for verdict in dropped)


def _unlabelled(found: Findings) -> str:
    """Say which rows are left out for want of a target."""
    said = [f"{counted(found.unlabelled, 'row')} without one"] if found.unlabelled else []
    if found.target.rare:
        said.append(f"{some([_level(label) for label in found.target.rare])}, too rare to learn and to test")
    return f"left out: {'; '.join(said)}"


def _is_code(verdict: Verdict) -> bool:
    return verdict.column.kind in ("numbers", "mixed")


def _spread(target: Target) -> str:
    """Say how the rows are spread over the classes, or what the numbers are."""
    if target.counts:
        parts = [f"{_level(label)} {share(rows, target.column.present)}" for label, rows in target.counts.items()]
        return some(parts, most=4)
    values = target.column.values
    low, middle, high = (f"{float(end):,.4g}" for end in (values.min(), values.median(), values.max()))  # type: ignore[arg-type]
    return f"from {low} to {high}, half of it below {middle}"


def _level(label: str) -> str:
    return brief(label, 24) if label.isprintable() and label == label.strip() and label else shown(label)


def _split(found: Findings) -> Iterator[Line]:
    """Write which rows stay together, or how they could."""
    part = "split: {{validation: 0.2, test: 0.2, by: {}{}}}".format
    if found.by is not None:
        in_order = found.by.kind == "dates"
        name = brief(found.by.name, 40)
        told = "trains on the earliest rows, tests on the latest" if in_order else f"rows of one {name} stay together"
        yield Line(f"  {part(notation(found.by.name), ', shuffle: false' if in_order else '')}", told)
        return
    dates = [verdict.name for verdict in found.verdicts if verdict.role == "date" and not verdict.column.missing]
    groups = [verdict.name for verdict in found.verdicts if verdict.groups and not verdict.column.missing]
    if groups:
        name = notation(groups[0])
        yield Line("  ", f"To test on other values of {name}, write {part(name, '')}")
    if dates:
        yield Line("  ", f"To test on what comes later, write {part(notation(dates[0]), ', shuffle: false')}")


def _prepare(found: Findings) -> Iterator[Line]:
    """Write what the columns need and the recipe does not give."""
    used = [verdict for verdict in found.verdicts if verdict.used]
    numbers = [verdict.column for verdict in used if verdict.role == "number"]
    many = [_name(verdict) for verdict in used if verdict.role == "category" and verdict.column.distinct > MANY]
    given = _prepared(found)
    lines = []
    if any(column.missing >= TELLING * column.rows for column in numbers) and "missing_indicator" not in given:
        # An indicator needs cells that are filled, whoever says so.
        lines.append(Line("    missing: median"))
        lines.append(Line("    missing_indicator: true", "tells the network where a number was missing"))
    if many and "min_rows" not in given:
        lines.append(Line("    min_rows: 5", f"rarer levels of {some(many)} are one level, unknown"))
    if lines:
        yield Line("  prepare:")
        yield from lines


def _prepared(found: Findings) -> Container[str]:
    """Return what the recipe says of preparing, where the spec leaves it out."""
    case = Case(task="classes" if found.target.counts else "values", validation=True, loss=None)
    given: Container[str] = RECIPES[found.recipe](case).get("dataset", {}).get("prepare", {})
    return given


def _judgement(found: Findings) -> list[Line]:
    """Write the metrics, and what the network has to reach at least."""
    target = found.target
    classes = len(target.counts)
    if not classes:
        metrics = ["r2", "mae", "rmse"] if target.skewed else ["r2", "rmse", "mae"]
        told = "a few large numbers rule r2 and rmse; mae counts all alike" if target.skewed else ""
        return [
            Line(f"metrics: {notation(metrics)}", told),
            Line("checks:"),
            Line("  improves: test.loss"),
            Line("  test.r2: {min: 0}", "the mean of the training rows, whatever the columns say, has 0"),
        ]
    common = _level(next(iter(target.counts)))
    also = "roc_auc" if classes == 2 else "f1"
    if target.unequal:
        bound = _above(1 / classes)
        return [
            Line(f"metrics: {notation(['balanced_accuracy', also, 'accuracy'])}", _unequal(target)),
            Line("checks:"),
            Line("  improves: test.loss"),
            Line(f"  test.balanced_accuracy: {{min: {bound:g}}}", f"always answering {common} has {1 / classes:.2g}"),
        ]
    told = f"always answering {common} is right in {share(round(target.majority * 1000), 1000)}"
    return [
        Line(f"metrics: {notation(['accuracy', also])}"),
        Line("checks:"),
        Line("  improves: test.loss"),
        Line(f"  test.accuracy: {{min: {_above(target.majority):g}}}", told),
    ]


def _unequal(target: Target) -> str:
    """Say why accuracy says little."""
    labels = list(target.counts)
    if target.majority >= 0.5:
        part = share(target.counts[labels[0]], target.column.present)
        return f"{_level(labels[0])} is in {part} of the rows: accuracy says little"
    return f"{_level(labels[-1])} is rare: accuracy says little of it"


def _above(value: float) -> float:
    """Return the next hundredth above."""
    return min(floor(100 * value + 1e-9) + 1, 100) / 100
