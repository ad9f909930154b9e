"""The split of a script where rows with the same value of a column stay together.

In front of this section, `groups` holds a number for each row, equal where the values are.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ffspec.data import grouping
from ffspec.export.text import comment, literal

if TYPE_CHECKING:
    from ffspec.export.script import Script
    from ffspec.export.subject import Subject
    from ffspec.spec.dataset import Split

ORDER = 'np.argsort(np.random.PCG64({stream}).random_raw(len(counts)), kind="stable").tolist()'


def _grouped(subject: Subject) -> list[str]:
    return [
        "_, group = np.unique(groups[rows], return_inverse=True)",
        "counts = np.bincount(group)",
        f"order = {ORDER.format(stream=subject.split_stream)}",
    ]


def add_groups(script: Script, subject: Subject, split: Split, free: str) -> None:
    """Add what divides the rows; `free` is the text of those that belong nowhere yet, empty for all."""
    rows = free or "np.arange(len(y))"
    if split.shuffle:
        _add_at_random(script, subject, split, rows)
    else:
        _add_in_order(script, subject, split, rows)


def _add_at_random(script: Script, subject: Subject, split: Split, rows: str) -> None:
    fixed = subject.raw.fixed
    total = len(subject.raw) - sum(map(len, fixed.values()))
    sizes = split.rows(total)
    lines = [
        comment(f"The split: rows with the same {split.by!r} stay together."),
        f"rows = {rows}",
        *_grouped(subject),
    ]
    if split.folds is not None:
        script.add(_function("deal"))
        turn = (split.fold or 1) - 1
        lines += [
            f"part = deal(order, counts, {split.folds})",
            f"test, rows = rows[part[group] == {turn}], rows[part[group] != {turn}]",
        ]
        if "validation" not in sizes:
            script.add(*lines, "train = rows")
            return
        lines += _grouped(subject)
        sizes = {"train": 0, "validation": sizes["validation"]}
        total = 0
    script.add(_function("take"))
    names = list(sizes)
    complete = split.folds is not None or sum(sizes.values()) == total
    for index, name in reversed(list(enumerate(names))):
        if index or not complete:
            most = f"len(order) - {index}" if index else "len(order)"
            lines.append(f"chosen, order = take(order, counts, {sizes[name]}, {most})")
        lines.append(f"{name} = rows[np.isin(group, {'chosen' if index or not complete else 'order'})]")
    script.add(*lines)


def _add_in_order(script: Script, subject: Subject, split: Split, rows: str) -> None:
    """Every split has the rows it was found to have: where values change, only the rows can tell."""
    names = [name for name in subject.rows if name not in subject.raw.fixed]
    counts = [len(subject.rows[name]) for name in names]
    lines = [
        comment(f"The split: in the order of {split.by!r}, cut where its value changes."),
        f"rows = {rows}",
        'rows = rows[np.argsort(groups[rows], kind="stable")]',
    ]
    total = len(subject.raw) - sum(map(len, subject.raw.fixed.values()))
    if split.folds is not None:
        start = _start(subject)
        stop = start + len(subject.rows["test"])
        lines.append(f"test, rows = rows[{start}:{stop}], np.concatenate([rows[:{start}], rows[{stop}:]])")
        names, counts, total = names[:-1], counts[:-1], total - counts[-1]
    if names == ["train"]:
        script.add(*lines, "train = rows")
        return
    stops = np.cumsum(counts).tolist()
    rest = ", _" if stops[-1] < total else ""
    script.add(*lines, f"{', '.join(names)}{rest} = np.split(rows, {literal(stops if rest else stops[:-1])})")


def _start(subject: Subject) -> int:
    """Return where the rows that are tested on begin, among all in the order of the column."""
    ranks = subject.raw.ranks
    assert ranks is not None  # noqa: S101 - the caller divides by them
    return int((ranks < ranks[subject.rows["test"][0]]).sum())


def _function(name: str) -> str:
    """Return a function as ffspec has it, without its types."""
    text = Path(grouping.__file__).read_text(encoding="utf-8")
    found = re.search(rf"def {name}\(.*?(?=\n\n\n)", text, re.DOTALL)
    assert found is not None  # noqa: S101 - it stands there
    signature, _, body = found[0].partition("\n")
    plain = re.sub(r": (list\[int\]|Ints|int)(?=[,)])| -> [^:]*(?=:)", "", signature)
    return plain + "\n" + body.replace(": list[int] =", " =")
