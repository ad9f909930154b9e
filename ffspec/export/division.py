"""Which rows are trained on, and which are tested on.

Behind this section, `train`, `validation` and `test` hold the rows of each split, as far as they exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ffspec.data.dividing import apportion
from ffspec.export.text import comment, listing, literal
from ffspec.export.together import add_groups
from ffspec.spec.dataset import Split
from ffspec.spec.tables import Table

if TYPE_CHECKING:
    from ffspec.export.script import Script
    from ffspec.export.subject import Subject

TAKE = '''\
def take(rows, size):
    """Take `size` of the rows, each class its share (the largest remainders are rounded up)."""
    shares, remainders = np.divmod(np.bincount(y[rows]) * size, len(rows))
    shares[np.argsort(-remainders, kind="stable")[: size - shares.sum()]] += 1
    taken = np.zeros(len(rows), dtype=bool)
    for label, share in enumerate(shares):
        taken[np.flatnonzero(y[rows] == label)[:share]] = True
    return rows[taken], rows[~taken]'''
ORDER = 'np.argsort(np.random.PCG64({stream}).random_raw({count}), kind="stable")'


def add_division(script: Script, subject: Subject) -> None:
    """Add what divides the rows."""
    script.use("numpy as np")
    fixed = list(subject.raw.fixed)
    names = [name for name in subject.rows if name not in fixed]
    total = len(subject.raw) - sum(len(rows) for rows in subject.raw.fixed.values())
    sizes = {name: len(subject.rows[name]) for name in names}
    rest = names == ["train"] and sizes["train"] == total
    if fixed:
        script.add(*_fixed(subject), *(['train = np.flatnonzero(belongs == "")'] if rest else []))
        if rest or not names:
            return
    free = 'np.flatnonzero(belongs == "")' if fixed else ""
    split = subject.spec.dataset.split
    if isinstance(split, Split) and split.by is not None and not rest:
        add_groups(script, subject, split, free)
    elif isinstance(split, Split) and split.folds is not None:
        _add_fold(script, subject, split)
    elif rest:
        script.add("# All rows are trained on.", "train = np.arange(len(y))")
    elif isinstance(split, Split) and not split.shuffle:
        _add_in_order(script, sizes, total, free)
    elif subject.stratified:
        _add_strata(script, subject, sizes, total, free)
    else:
        _add_random(script, subject, sizes, total, free)


def _fixed(subject: Subject) -> list[str]:
    """Return the lines that find the rows the data itself puts into a split."""
    source = subject.spec.dataset.source
    lines = ["# The split is part of the data."]
    if isinstance(source, Table) and source.split_column is not None:
        lines.append(f"belongs = table[{literal(source.split_column)}].to_numpy()")
    return [*lines, *(f"{name} = np.flatnonzero(belongs == {literal(name)})" for name in subject.raw.fixed)]


def _add_in_order(script: Script, sizes: dict[str, int], total: int, free: str) -> None:
    stops = np.cumsum(list(sizes.values())).tolist()
    rest = ", _" if stops[-1] < total else ""
    cuts = stops if rest else stops[:-1]
    rows = free or "np.arange(len(y))"
    script.add(
        "# The split: rows in order.",
        f"{', '.join(sizes)}{rest} = np.split({rows}, {literal(cuts)})",
    )


def _add_random(script: Script, subject: Subject, sizes: dict[str, int], total: int, free: str) -> None:
    """The small splits come first: the training split takes what they leave."""
    names = list(reversed(sizes))
    stops = np.cumsum([sizes[name] for name in names]).tolist()
    rest = ", _" if stops[-1] < total else ""
    cuts = stops if rest else stops[:-1]
    lines = [comment(f"The split: {_told(sizes)} at random.")]
    order = ORDER.format(stream=subject.split_stream, count="len(rows)" if free else "len(y)")
    if free:
        lines += [f"rows = {free}", f"order = rows[{order}]"]
    else:
        lines.append(f"order = {order}")
    script.add(*lines, f"{', '.join(names)}{rest} = np.split(order, {literal(cuts)})")


def _add_strata(script: Script, subject: Subject, sizes: dict[str, int], total: int, free: str) -> None:
    names = list(reversed(sizes))
    script.add(TAKE)
    lines = [comment(f"The split: {_told(sizes)} at random, each with its share of every class.")]
    order = ORDER.format(stream=subject.split_stream, count="len(rows)" if free else "len(y)")
    lines += [f"rows = {free}", f"rows = rows[{order}]"] if free else [f"rows = {order}"]
    complete = sum(sizes.values()) == total
    for index, name in enumerate(names):
        if index == len(names) - 1:
            lines.append(f"{name} = rows" if complete else f"{name}, _ = take(rows, {sizes[name]})")
        elif index == len(names) - 2 and complete:
            lines.append(f"{name}, {names[-1]} = take(rows, {sizes[name]})")
            break
        else:
            lines.append(f"{name}, rows = take(rows, {sizes[name]})")
    script.add(*lines)


def _add_fold(script: Script, subject: Subject, split: Split) -> None:
    """Add what deals the rows like cards, takes one part to test on, and divides the others."""
    folds, turn = split.folds or 2, (split.fold or 1) - 1
    loose = split.model_copy(update={"stratify": False})
    whole = np.arange(len(subject.raw), dtype=np.int64)
    sizes = {name: len(rows) for name, rows in subject.rows.items()}
    seed = subject.spec.dataset.split_seed(subject.spec.seed)
    without = apportion(whole, sizes, loose, subject.target, seed)["test"]
    test = subject.rows["test"]
    lines = [comment(f"The split: part {turn + 1} of {folds} to test on.")]
    if split.shuffle:
        lines.append(f"order = {ORDER.format(stream=subject.split_stream, count='len(y)')}")
        if not np.array_equal(without, test):
            lines.append('order = order[np.argsort(y[order], kind="stable")]  # class by class')
        lines += [f"test = order[{turn}::{folds}]  # dealt like cards", "rest = np.setdiff1d(order, test)"]
    else:
        lines += [f"test = np.arange({test[0]}, {test[-1] + 1})", "rest = np.setdiff1d(np.arange(len(y)), test)"]
    script.add(*lines)
    others = {name: size for name, size in sizes.items() if name != "test"}
    rest = np.setdiff1d(whole, test)
    plain = apportion(rest, others, loose.model_copy(update={"folds": None}), subject.target, seed)
    if list(others) == ["train"]:
        script.add("train = rest")
    elif not split.shuffle:
        _add_in_order(script, others, len(rest), "rest")
    elif np.array_equal(plain["train"], subject.rows["train"]):
        _add_random(script, subject, others, len(rest), "rest")
    else:
        _add_strata(script, subject, others, len(rest), "rest")


def _told(sizes: dict[str, int]) -> str:
    return listing([f"{count} rows to {_purpose(name)}" if index == 0 else f"{count} to {_purpose(name)}"
                    for index, (name, count) in enumerate(sizes.items())])  # fmt: skip


def _purpose(name: str) -> str:
    return {"train": "train on", "validation": "validate on", "test": "test on"}[name]
