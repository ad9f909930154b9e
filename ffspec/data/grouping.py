"""Dividing rows so that those with the same value of a column stay together: at random, or in the column's order.

N rows, G groups. An ejected script carries `take` and `deal` as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ffspec.data.loaded import Ints
from ffspec.data.problems import counted, problem
from ffspec.spec.dataset import Split


def divide_groups(rows: Ints, ranks: Ints, sizes: dict[str, int], options: Split, seed: int) -> dict[str, Ints]:
    """Divide rows into splits of about these sizes, each group in one of them.

    Args:
        rows: The rows to divide.
        ranks: The group of each row of the table, numbered in the order of the column; shape (N,).
        sizes: The rows each split should have; what is left over belongs to none.
        options: What the spec says of the split.
        seed: What decides the order of the groups.

    Raises:
        SpecError: FF035, there are too few groups.
    """
    groups = np.unique(ranks[rows], return_inverse=True)[1].astype(np.int64)
    counts = np.bincount(groups).astype(np.int64)
    needed, what = (len(sizes), "splits") if options.folds is None else (options.folds, "parts")
    if len(counts) < needed:
        found = counted(len(counts), "value")
        message = f"each of the {needed} {what} must have a value of {options.by!r} to itself, found {found}"
        raise problem("FF035", message, ("dataset", "split", "by"))
    if not options.shuffle:
        order = np.argsort(groups, kind="stable")
        rows, groups = rows[order], groups[order]
    if options.folds is not None:
        tested = _part(groups, counts, options, seed)
        rest = rows[~tested]
        validation = sizes.get("validation", 0)
        others = {"train": len(rest) - validation, **({"validation": validation} if validation else {})}
        plain = options.model_copy(update={"folds": None})
        return {**divide_groups(rest, ranks, others, plain, seed), "test": rows[tested]}
    wanted, complete = list(sizes.values()), sum(sizes.values()) == len(rows)
    if options.shuffle:
        owner = _at_random(counts, wanted, permutation(len(counts), seed).tolist(), complete=complete)
    else:
        owner = _in_order(counts, wanted, complete=complete)
    return {name: rows[owner[groups] == index] for index, name in enumerate(sizes)}


def permutation(count: int, seed: int) -> Ints:
    """Return a random permutation, from words that numpy promises to keep, as it does not of its `permutation`."""
    return np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable").astype(np.int64, copy=False)


def take(order: list[int], counts: Ints, size: int, most: int) -> tuple[list[int], list[int]]:
    """Take groups in their order while they fit into `size` rows, and one more if that comes nearer.

    At least one group is taken, and at most `most`. Returns those taken, and those that are left.
    """
    taken: list[int] = []
    left: list[int] = []
    rows = 0
    for group in order:
        fits = rows + counts[group] <= size and len(taken) < most
        (taken if fits else left).append(group)
        rows += counts[group] * fits
    if left and len(taken) < most and rows < size:
        nearest = min(left, key=lambda group: abs(rows + counts[group] - size))
        if not taken or abs(rows + counts[nearest] - size) < size - rows:
            taken.append(nearest)
            left.remove(nearest)
    return taken, left


def deal(order: list[int], counts: Ints, parts: int) -> Ints:
    """Deal groups to parts, the largest first, each to the part with the fewest rows; return the part of each."""
    part, rows = np.zeros(len(counts), dtype=np.int64), [0] * parts
    for group in sorted(order, key=lambda group: -counts[group]):
        part[group] = rows.index(min(rows))
        rows[part[group]] += counts[group]
    return part


def _part(groups: Ints, counts: Ints, options: Split, seed: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mark the rows of the part that is tested on: every fold of a seed has the same parts."""
    folds, turn = options.folds or 2, (options.fold or 1) - 1
    if options.shuffle:
        part = deal(permutation(len(counts), seed).tolist(), counts, folds)
    else:
        part = _in_order(counts, [len(groups) // folds + (index < len(groups) % folds) for index in range(folds)])
    return np.asarray(part[groups] == turn)


def _at_random(counts: Ints, sizes: Sequence[int], order: list[int], *, complete: bool) -> Ints:
    """Return the split of each group, -1 for none; the small splits choose first, the training split last."""
    owner = np.full(len(counts), -1, dtype=np.int64)
    for index in reversed(range(len(sizes))):
        chosen = order
        if index or not complete:
            chosen, order = take(order, counts, sizes[index], len(order) - index)
        owner[chosen] = index
    return owner


def _in_order(counts: Ints, sizes: Sequence[int], *, complete: bool = True) -> Ints:
    """Return the split of each group, -1 for none: cut between groups where that is nearest to the sizes."""
    ends = np.cumsum(counts)
    owner = np.full(len(counts), -1, dtype=np.int64)
    start = 0
    for index, stop in enumerate(np.cumsum(sizes).tolist()):
        last = len(counts) - (len(sizes) - 1 - index)
        end = int(np.abs(ends[start:last] - stop).argmin()) + start + 1
        if complete and index == len(sizes) - 1:
            end = len(counts)
        owner[start:end] = index
        start = end
    return owner
