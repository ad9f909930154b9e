"""From a table to a spec: what the columns hold, what is to be predicted, and the text that says so."""

from __future__ import annotations

import os
import pathlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ffspec import diagnostics as rendering
from ffspec.diagnostics import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from ffspec.data.profile import ColumnProfile
    from ffspec.proposal.columns import Verdict
    from ffspec.proposal.reading import Sheet
    from ffspec.proposal.target import Target, Task

RECIPE = "tabular"
"""The recipe of a proposal, unless another is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A spec for a table, and what it says in short."""

    text: str
    target: Target
    verdicts: tuple[Verdict, ...]
    rows: int


def propose(  # noqa: PLR0913 - each is one thing a caller may want to set
    path: str | os.PathLike[str],
    target: str,
    *,
    recipe: str = RECIPE,
    task: Task | None = None,
    by: str | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> str:
    """Return a spec for a CSV or Parquet file: which columns to use and how, what to measure, and why, in comments.

    Args:
        path: The file.
        target: The column to predict.
        recipe: Which recipe fills in the network and its training.
        task: Whether the target is classes or numbers; what it looks like if left out.
        by: A column whose equal values stay in one split: what is tested on are other customers, or later days.
        folder: Where the spec will lie; beside the data if left out.

    Raises:
        SpecError: FF030 to FF039, the file cannot be used, or the target is neither classes nor numbers.
    """
    return look(path, target, recipe=recipe, task=task, by=by, folder=folder).text


def look(path: str | os.PathLike[str], target: str, **options: Any) -> Proposal:
    """Read a table and propose a spec for it; see `propose`."""
    try:
        return _look(pathlib.Path(path), target, **options)
    except SpecError as error:
        found = error.diagnostics
        raise SpecError(found, error.text or rendering.render(found, file=os.fspath(path))) from None


def _look(  # noqa: PLR0913 - as for `propose`
    file: pathlib.Path,
    target: str,
    *,
    recipe: str = RECIPE,
    task: Task | None = None,
    by: str | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Proposal:
    from ffspec.proposal import text
    from ffspec.proposal.groups import keeper
    from ffspec.proposal.reading import read
    from ffspec.proposal.relations import without_doubles, without_leaks
    from ffspec.proposal.target import settle

    sheet = read(file, target)
    held, labelled = _labelled(sheet, target)
    settled, frame = _without_rare(settle(held, task, text=sheet.text), labelled)
    owner = None if by is None else keeper(frame, by, target, text=sheet.text)
    columns = {name: frame.get_column(name) for name in frame.columns if name not in (target, by)}
    judged = _verdicts(columns, settled, held.marks, text=sheet.text)
    verdicts = tuple(without_leaks(without_doubles(judged), settled))
    _require_some(verdicts)
    findings = text.Findings(
        path=_seen(file, folder),
        source="csv" if sheet.text else "parquet",
        separator=sheet.separator,
        headless=sheet.headless,
        rows=frame.height,
        repeated=_repeated(frame, [target, *(verdict.name for verdict in verdicts if verdict.used)]),
        unlabelled=sheet.frame.height - labelled.height,
        target=settled,
        verdicts=verdicts,
        marks=_marks(settled, held, judged) if sheet.text else (),
        recipe=recipe,
        by=owner,
    )
    return Proposal(text=text.write(findings), target=settled, verdicts=verdicts, rows=frame.height)


def _require_some(verdicts: tuple[Verdict, ...]) -> None:
    """Refuse a table of which nothing can be used.

    Raises:
        SpecError: FF037.
    """
    from ffspec.data.problems import problem

    if not any(verdict.used for verdict in verdicts):
        told = "; ".join(f"{verdict.name!r} {verdict.reason}" for verdict in verdicts[:3])
        raise problem("FF037", f"no column is left to predict from: {told or 'there is none beside the target'}", ())


def _marks(target: Target, held: ColumnProfile, judged: list[Verdict]) -> tuple[str, ...]:
    """Return the texts that stand for a missing cell in the columns that are read, and the classes left out."""
    profiles = (held, *(verdict.column for verdict in judged if verdict.used))
    return tuple(dict.fromkeys((*target.rare, *(mark for part in profiles for mark in part.marks))))


def _labelled(sheet: Sheet, target: str) -> tuple[ColumnProfile, pl.DataFrame]:
    """Return the profile of the target, and the rows that have one."""
    from ffspec.data.profile import profile

    held = profile(sheet.frame.get_column(target), text=sheet.text)
    if not held.missing or held.kind == "empty":
        return held, sheet.frame
    known = held.values.is_not_null()
    values = held.values.filter(known)
    return replace(held, values=values), sheet.frame.filter(known)


def _without_rare(target: Target, frame: pl.DataFrame) -> tuple[Target, pl.DataFrame]:
    """Leave out the rows of classes that are too rare."""
    if not target.rare:
        return target, frame
    kept = ~target.column.values.is_in(list(target.rare))
    column = replace(target.column, values=target.column.values.filter(kept))
    return replace(target, column=column), frame.filter(kept)


def _verdicts(columns: Mapping[str, pl.Series], target: Target, marks: tuple[str, ...], *, text: bool) -> list[Verdict]:
    """Judge every column by itself; `marks` are the texts that the target has for a missing one.

    What stands for a missing cell in one column does so in the whole file, which may change what others hold.
    """
    made = {name: _verdict(series, target, text=text) for name, series in columns.items()}
    settled: set[str] = set()
    while text:
        known = {*marks, *target.rare, *(mark for item in made.values() if item.used for mark in item.column.marks)}
        if known <= settled:
            break
        settled |= known
        for name, item in made.items():
            series = columns[name].alias("cells")
            foreign = series.is_in(list(settled - set(item.column.marks))).fill_null(value=False)
            if item.used and foreign.any():
                made[name] = _verdict(series.set(foreign, None).alias(name), target, text=text)
    return list(made.values())


def _verdict(series: pl.Series, target: Target, *, text: bool) -> Verdict:
    from ffspec.data.profile import profile
    from ffspec.proposal.columns import judge

    verdict = judge(profile(series, text=text), text=text)
    spoiled = [mark for mark in verdict.column.marks if mark in target.counts]
    if spoiled and verdict.used:
        return verdict.dropped(f"{spoiled[0]!r} stands for a missing cell here, but is a class")
    return verdict


def _repeated(frame: pl.DataFrame, used: list[str]) -> int:
    """Count the rows that repeat another in all columns that are used."""
    import polars as pl

    return frame.height - pl.DataFrame([frame.get_column(name) for name in used]).n_unique()


def _seen(file: pathlib.Path, folder: str | os.PathLike[str] | None) -> str:
    """Return a file as seen from a folder, its own if none is given.

    Raises:
        SpecError: FF038, it lies outside.
    """
    from ffspec.data.problems import problem

    root, real = os.path.realpath(file.parent if folder is None else folder), os.path.realpath(file)
    if not pathlib.Path(real).is_relative_to(root):
        hint = "write it there: the data may lie beside the spec, or in a folder below"
        raise problem("FF038", f"the spec must lie in the folder of its data, or above it, found {folder}", (), hint)
    return pathlib.Path(os.path.relpath(real, root)).as_posix()
