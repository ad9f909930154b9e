"""The statistics of the data rules, in numpy alone: scipy would take longer to import than they take.

N rows, F features. Nothing here draws at random: the same rows always give the same findings.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb, exp, gcd, log, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffspec.data.loaded import Features, Floats, Ints

Hashes: TypeAlias = NDArray[np.uint64]

BLOCK = 1 << 18
"""How many numbers are worked on at a time: they fit into the cache, and cost no memory to speak of."""
GOLDEN = (sqrt(5) - 1) / 2
COLUMNS = 1_000
"""The columns that are looked at one by one."""
ROWS = 20_000
"""The rows on which a column is looked at: enough to see any difference that matters."""
CELLS = 2_000_000
"""The numbers that are looked at in this way, in all; of a wide table fewer rows must do."""


def sample(total: int, most: int) -> Ints:
    """Return the indices of at most `most` of `total` rows, in order.

    The stride is a golden section of the rows and shares no factor with their number, so that the sample meets every
    part of the table, and every phase of what recurs in it, equally often.
    """
    if total <= most:
        return np.arange(total, dtype=np.int64)
    stride = int(total * GOLDEN)
    while gcd(stride, total) > 1:
        stride += 1
    return np.sort(np.arange(most, dtype=np.int64) * stride % total)


def sampled(rows: int, columns: int) -> Ints:
    """Return the rows on which each of so many columns can be looked at."""
    return sample(rows, max(ROWS // 10, min(ROWS, CELLS // max(columns, 1))))


def blocks(x: Features | Ints) -> Iterator[slice]:
    """Yield the rows of a table a cacheful at a time."""
    rows = max(1, BLOCK // max(x.shape[1], 1))
    for start in range(0, len(x), rows):
        yield slice(start, start + rows)


def moments(x: Features | Ints) -> tuple[Floats, Floats]:
    """Return the mean and the standard deviation of each column; infinite where they are too large for a number."""
    first, count = x[0].astype(np.float64), len(x)
    sums, squares = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for block in blocks(x):
            # About the first row, so that a large mean does not swallow a small deviation.
            centred = x[block].astype(np.float64) - first
            sums += centred.sum(axis=0)
            squares += np.einsum("ij,ij->j", centred, centred)
        means = sums / count
        deviations = np.sqrt(np.maximum(squares / count - means**2, 0.0))
        return np.nan_to_num(first + means, nan=np.inf), np.nan_to_num(deviations, nan=np.inf)


def constant(x: Features) -> Ints:
    """Return the columns whose values are all equal."""
    candidates = np.arange(x.shape[1], dtype=np.int64)
    for block in blocks(x):
        if len(candidates) == 0:
            break
        # Fewer columns remain with every block, most often none after the first.
        candidates = candidates[(x[block][:, candidates] == x[0, candidates]).all(axis=0)]
    return candidates


def is_indicator(values: Features) -> bool:
    """Return whether a column has at most two different values."""
    return bool(((values == values.min()) | (values == values.max())).all())


def hashes(x: Features, y: Floats | Ints) -> tuple[Hashes, Hashes]:
    """Return a number for the features of each row, and one for its features and target.

    Equal rows have equal numbers; that unequal rows do has a chance of 2^-64 for each pair.
    """
    features = _hashed(x)
    return features, _mixed(features ^ _mixed(_hashed(y.reshape(len(y), -1).astype(np.float64, copy=False))))


def _hashed(x: Features) -> Hashes:
    """Return the sum over a row's cells of their mixed bits, each column with a key of its own."""
    keys = _mixed(np.arange(1, x.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    result = np.empty(len(x), dtype=np.uint64)
    for block in blocks(x):
        bits = (x[block].astype(np.float64) + 0.0).view(np.uint64)  # -0.0 becomes 0.0
        bits ^= keys
        result[block] = _mixed(bits).sum(axis=1)
    return result


def _mixed(bits: Hashes) -> Hashes:
    """Spread every bit over all 64, in place (the finaliser of MurmurHash3)."""
    shift, first, second = np.uint64(33), np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
    shifted = bits >> shift
    bits ^= shifted
    bits *= first
    np.right_shift(bits, shift, out=shifted)
    bits ^= shifted
    bits *= second
    np.right_shift(bits, shift, out=shifted)
    bits ^= shifted
    return bits


def repeated(ordered: Hashes) -> int:
    """Count the rows that have a twin among them; they must be sorted."""
    equal = ordered[1:] == ordered[:-1]
    twins = np.zeros(len(ordered), dtype=np.bool_)
    twins[1:] |= equal
    twins[:-1] |= equal
    return int(twins.sum())


def found_in(ordered: Hashes, wanted: Hashes) -> Ints:
    """Return where in `wanted` the rows are that also stand in `ordered`, which is sorted."""
    # In order, neighbouring searches run through the same memory: five times as fast.
    order = np.argsort(wanted)
    place = np.minimum(np.searchsorted(ordered, wanted[order]), len(ordered) - 1)
    return np.sort(order[ordered[place] == wanted[order]]).astype(np.int64)


def conflicts(features: Hashes, codes: Ints) -> tuple[int, int]:
    """Count the rows whose features also stand with another class, and the different rows of features."""
    order = np.argsort(features)
    ordered = features[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(np.append(starts, len(ordered)))
    labels = codes[order]
    mixed = np.minimum.reduceat(labels, starts) != np.maximum.reduceat(labels, starts)
    return int(sizes[mixed].sum()), len(starts)


def repeats_by_nature(x: Features) -> bool:
    """Return whether there are so few combinations of values that rows must be expected to repeat themselves."""
    cells = 1
    for column in x[sample(len(x), 20_000)].T:
        cells *= len(np.unique(column))
        if cells > 10 * len(x):
            return False
    return True


def chance_of_twins(crossing: int, within: int, share: float) -> float:
    """Return how likely it is that a random split parts so many pairs of equal rows.

    Of `crossing + within` pairs, `crossing` have a row in each of two splits, of which one holds `share` of the rows
    of both. That comes to a pair with a chance of 2 share (1 - share), so their number is binomial.
    """
    pairs, chance = crossing + within, 2 * share * (1 - share)
    if pairs > 1000:  # the normal approximation is good enough for what is certain either way
        mean, deviation = pairs * chance, sqrt(pairs * chance * (1 - chance))
        return 1.0 if crossing <= mean else exp(-(((crossing - mean) / deviation) ** 2) / 2)
    terms = range(crossing, pairs + 1)
    return float(sum(comb(pairs, k) * chance**k * (1 - chance) ** (pairs - k) for k in terms))


def distance(first: Floats, second: Floats) -> float:
    """Return the two-sample Kolmogorov-Smirnov statistic of sorted values: how far their distributions lie apart."""
    n, m = len(first), len(second)
    at_first = np.searchsorted(second, first, side="right") / m - np.searchsorted(first, first, side="right") / n
    at_second = np.searchsorted(first, second, side="right") / n - np.searchsorted(second, second, side="right") / m
    return float(max(np.abs(at_first).max(), np.abs(at_second).max()))


def significant_distance(n: int, m: int, level: float) -> float:
    """Return the distance that two samples of one distribution exceed with a chance of at most `level`.

    The bound of Dvoretzky, Kiefer, Wolfowitz and Massart for two samples (Wei and Dudley 2012), right for discrete
    values too, and cautious for few.
    """
    return sqrt(-log(level / 2) * (n + m) / (2 * n * m))


def ranks(values: Floats) -> Floats:
    """Return the rank of each value from 1, equal values sharing their mean."""
    order = np.argsort(values)
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.append(starts, len(values)))
    result = np.empty(len(values))
    result[order] = np.repeat(starts + (counts + 1) / 2, counts)
    return result


def area(values: Floats, positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve of a column as a score, or of its negative if that is larger."""
    ones = int(positive.sum())
    pairs = ones * (len(values) - ones)
    below = ranks(values)[positive].sum() - ones * (ones + 1) / 2
    return float(max(below, pairs - below) / pairs)


def spearman(values: Floats, targets: Floats) -> float:
    """Return the largest absolute rank correlation of a column with a column of ranked targets, (N, C)."""
    ranked = ranks(values)
    ranked -= ranked.mean()
    centred = targets - targets.mean(axis=0)
    norms = np.sqrt((ranked @ ranked) * np.einsum("ij,ij->j", centred, centred))
    known = norms > 0
    return float(np.abs(ranked @ centred[:, known] / norms[known]).max(initial=0.0))


def recall(cells: Ints, codes: Ints, classes: Ints) -> float:
    """Return the mean share of each class that a column tells, cell by cell.

    A row is told if its class is the most frequent in its cell even without the row itself, so that cells with a
    single row tell nothing.

    Args:
        cells: The cell of the column each row is in, from 0.
        codes: The class of each row.
        classes: The classes that count.
    """
    table = np.zeros((int(cells.max()) + 1, int(codes.max()) + 1), dtype=np.int64)
    np.add.at(table, (cells, codes), 1)
    best = table.argmax(axis=1)
    ordered = np.sort(table, axis=1)
    sure = ordered[:, -1] - ordered[:, -2] >= 2
    right = np.bincount(best[sure], weights=ordered[sure, -1], minlength=table.shape[1])
    return float((right[classes] / table.sum(axis=0)[classes]).mean())


def cells_of(values: Floats) -> Ints:
    """Divide a column: into its values where they are few, else into cells of as many rows each."""
    levels, inverse = np.unique(values, return_inverse=True)
    count = min(256, max(len(values) // 8, 2))
    if len(levels) <= count:
        return inverse.astype(np.int64)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right").astype(np.int64)


def shares(codes: Floats | Ints, classes: int) -> Floats:
    """Return the share of each class."""
    found: Floats = np.bincount(codes.astype(np.int64, copy=False), minlength=classes) / len(codes)
    return found
