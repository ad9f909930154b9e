"""Dividing rows among train, validation and test: at random, stratified, or in order."""

from __future__ import annotations

import numpy as np

from ffspec.data.grouping import divide_groups, permutation
from ffspec.data.loaded import Ints, Raw
from ffspec.data.problems import counted, problem
from ffspec.data.targets import Target
from ffspec.spec.dataset import Dataset, Split, misfit, sizes_of
from ffspec.spec.facts import SPLITS
from ffspec.spec.sources import Label


def divide(dataset: Dataset, target: Target, raw: Raw, seed: int) -> dict[str, Ints]:
    """Return the rows of each split, in the order train, validation, test.

    The source itself may put rows into a split; the others are divided as `dataset.split` says.

    Raises:
        SpecError: FF035, there are too few rows for such a split.
    """
    total, fixed = len(target.y), dict(raw.fixed)
    taken = np.concatenate([np.zeros(0, dtype=np.int64), *fixed.values()])
    free = np.arange(total, dtype=np.int64)
    if len(taken):
        free = np.setdiff1d(free, taken)
    split = dataset.split
    if fixed and split is None:
        split = "none"
    if fixed and isinstance(split, Split) and split.folds is not None:
        refused = "the split must not be into folds, because the data itself says which rows are tested on"
        raise problem("FF035", refused, ("dataset", "split", "folds"))
    own = dataset.source.sizes()
    sizes = dict(own) if own is not None else sizes_of(split, len(free))
    if len(free) or "train" not in fixed:
        message = None if own is not None else misfit(split, len(free))
        if message is not None:
            hint = "write 'split: none' to train on all rows" if split is None else None
            raise problem("FF035", f"the split {message}", ("dataset", "split"), hint)
        options = split if isinstance(split, Split) else Split.model_construct()
        if raw.ranks is not None:
            rows = {**divide_groups(free, raw.ranks, sizes, options, seed), **fixed}
        else:
            rows = {**apportion(free, sizes, options, target, seed), **fixed}
    else:
        rows = dict(fixed)
    return {name: rows[name] for name in SPLITS if name in rows}


def apportion(rows: Ints, sizes: dict[str, int], options: Split, target: Target, seed: int) -> dict[str, Ints]:
    """Divide rows into splits of these sizes."""
    if options.folds is not None:
        return _fold(rows, sizes, options, target, seed)
    if list(sizes) == ["train"] and sizes["train"] == len(rows):
        return {"train": rows}
    if not options.shuffle:
        stops = np.cumsum(list(sizes.values()))
        return dict(zip(sizes, np.split(rows, stops), strict=False))
    rows = rows[permutation(len(rows), seed)]
    codes = _strata(rows, sizes, options, target)
    parts: dict[str, Ints] = {}
    # The small splits first: the training split takes its share of what they leave.
    for name in reversed(sizes):
        chosen = _choose(codes, sizes[name])
        parts[name] = rows[chosen]
        rows, codes = rows[~chosen], codes[~chosen]
    return parts


def _fold(rows: Ints, sizes: dict[str, int], options: Split, target: Target, seed: int) -> dict[str, Ints]:
    """Return one of equal parts to test on, and divide the others: every fold of a seed has the same parts.

    The rows are dealt like cards, class by class where the parts are stratified, so that sizes, and counts of a class,
    differ by one row at most.
    """
    folds, turn = options.folds or 2, (options.fold or 1) - 1
    if options.shuffle:
        rows = rows[permutation(len(rows), seed)]
        codes = _strata(rows, {str(part): len(rows) // folds for part in range(folds)}, options, target)
        rows = rows[np.argsort(codes, kind="stable")]
        tested = np.arange(len(rows)) % folds == turn
    else:
        first = turn * (len(rows) // folds) + min(turn, len(rows) % folds)
        tested = (np.arange(len(rows)) >= first) & (np.arange(len(rows)) < first + sizes["test"])
    others = {name: size for name, size in sizes.items() if name != "test"}
    plain = options.model_copy(update={"folds": None})
    # In order, so that which rows are taken does not depend on how the cards lay.
    rest = apportion(np.sort(rows[~tested]), others, plain, target, seed)
    return {**rest, "test": rows[tested]}


def _strata(rows: Ints, sizes: dict[str, int], options: Split, target: Target) -> Ints:
    """Return the stratum of each row: its class, or 0 for all where the split is not stratified."""
    fault = "only classes can be stratified, but the target is numbers"
    if options.stratify is not False and target.classes is not None:
        codes = target.y[rows].astype(np.int64)
        fault = _scarce(codes, sizes, target.classes) or ""
        if not fault:
            return codes
    if options.stratify:
        raise problem("FF035", fault, ("dataset", "split", "stratify"))
    return np.zeros(len(rows), dtype=np.int64)


def _scarce(codes: Ints, sizes: dict[str, int], classes: tuple[Label, ...]) -> str | None:
    """Say why not every split can have a row of every class, or return None."""
    counts = np.bincount(codes, minlength=len(classes))
    present = np.flatnonzero(counts)
    rarest = present[np.argmin(counts[present])]
    if counts[rarest] < len(sizes):
        found = f"class {classes[rarest]!r} has {counted(int(counts[rarest]), 'row')}"
        return f"every class must have a row for each of the {len(sizes)} splits, but {found}"
    smallest = min(sizes, key=lambda name: sizes[name])
    if sizes[smallest] < len(present):
        found = f"{smallest} has {counted(sizes[smallest], 'row')}"
        return f"every split must have a row for each of the {len(present)} classes, but {found}"
    return None


def _choose(codes: Ints, size: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mark the first rows of each stratum: its share of `size`, the largest remainders rounded up (Hare 1859)."""
    marked = np.zeros(len(codes), dtype=np.bool_)
    if not codes.any():  # one stratum: there is nothing to sort, which of many rows would take memory
        marked[:size] = True
        return marked
    counts = np.bincount(codes)
    shares = counts * size // max(len(codes), 1)
    remainders = counts * size % max(len(codes), 1)
    # Among equal remainders the lower class wins.
    shares[np.argsort(-remainders, kind="stable")[: size - int(shares.sum())]] += 1
    order = np.argsort(codes, kind="stable")
    rank = np.arange(len(codes)) - (np.cumsum(counts) - counts)[codes[order]]
    marked[order] = rank < shares[codes[order]]
    return marked
