"""Dividing rows among train, validation and test: at random, stratified, or in order."""

from __future__ import annotations

import numpy as np

from ffspec.data.loaded import Ints
from ffspec.data.problems import counted, problem
from ffspec.data.targets import Target
from ffspec.spec.dataset import Dataset, Split, misfit, sizes_of
from ffspec.spec.sources import SPLITS


def divide(dataset: Dataset, target: Target, fixed: dict[str, Ints], seed: int) -> dict[str, Ints]:
    """Return the rows of each split, in the order train, validation, test.

    Rows in `fixed` belong to their split already; the others are divided as `dataset.split` says.

    Raises:
        SpecError: FF035, there are too few rows for such a split.
    """
    total = len(target.y)
    taken = np.concatenate([np.zeros(0, dtype=np.int64), *fixed.values()])
    free = np.setdiff1d(np.arange(total, dtype=np.int64), taken)
    split = dataset.split
    if fixed and split is None:
        split = "none"
    own = dataset.source.sizes()
    sizes = dict(own) if own is not None else sizes_of(split, len(free))
    if len(free) or "train" not in fixed:
        message = None if own is not None else misfit(split, len(free))
        if message is not None:
            hint = "write 'split: none' to train on all rows" if split is None else None
            raise problem("FF035", f"the split {message}", ("dataset", "split"), hint)
        options = split if isinstance(split, Split) else Split.model_construct()
        rows = {**_divide(free, sizes, options, target, seed), **fixed}
    else:
        rows = dict(fixed)
    return {name: rows[name] for name in SPLITS if name in rows}


def _divide(rows: Ints, sizes: dict[str, int], options: Split, target: Target, seed: int) -> dict[str, Ints]:
    if list(sizes) == ["train"] and sizes["train"] == len(rows):
        return {"train": rows}
    if not options.shuffle:
        stops = np.cumsum(list(sizes.values()))
        return {name: part for name, part in zip(sizes, np.split(rows, stops), strict=False)}
    rows = rows[_order(len(rows), seed)]
    codes = _strata(rows, sizes, options, target)
    parts: dict[str, Ints] = {}
    # The small splits first: the training split takes its share of what they leave.
    for name in reversed(sizes):
        chosen = _choose(codes, sizes[name])
        parts[name] = rows[chosen]
        rows, codes = rows[~chosen], codes[~chosen]
    return parts


def _order(count: int, seed: int) -> Ints:
    """Return a random permutation. A bit generator's words, unlike numpy's `permutation`, are the same in every version."""
    return np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable").astype(np.int64)


def _strata(rows: Ints, sizes: dict[str, int], options: Split, target: Target) -> Ints:
    """Return the stratum of each row: its class, or 0 for all where the split is not stratified."""
    nothing = np.zeros(len(rows), dtype=np.int64)
    if options.stratify is False:
        return nothing
    if target.classes is None:
        if options.stratify:
            raise problem("FF035", "only classes can be stratified, but the target is numbers", ("dataset", "split", "stratify"))
        return nothing
    codes = target.y[rows].astype(np.int64)
    counts = np.bincount(codes, minlength=len(target.classes))
    rare = min((int(count), index) for index, count in enumerate(counts) if count)
    smallest = min(sizes, key=lambda name: sizes[name])
    present = int((counts > 0).sum())
    if rare[0] >= len(sizes) and sizes[smallest] >= present:
        return codes
    if options.stratify:
        message = (
            f"every class must have a row for each of the {len(sizes)} splits, but class {target.classes[rare[1]]!r} has "
            f"{counted(rare[0], 'row')}"
            if rare[0] < len(sizes)
            else f"every split must have a row for each of the {present} classes, but {smallest} has "
            f"{counted(sizes[smallest], 'row')}"
        )
        raise problem("FF035", message, ("dataset", "split", "stratify"))
    return nothing


def _choose(codes: Ints, size: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mark the first rows of each stratum: its share of `size`, the largest remainders rounded up (Hare 1859)."""
    counts = np.bincount(codes)
    shares = counts * size // max(len(codes), 1)
    remainders = counts * size % max(len(codes), 1)
    # Among equal remainders the lower class wins.
    shares[np.argsort(-remainders, kind="stable")[: size - int(shares.sum())]] += 1
    order = np.argsort(codes, kind="stable")
    rank = np.arange(len(codes)) - (np.cumsum(counts) - counts)[codes[order]]
    marked = np.zeros(len(codes), dtype=np.bool_)
    marked[order] = rank < shares[codes[order]]
    return marked
