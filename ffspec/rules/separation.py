"""Whether classes can be told apart by a linear model, in numpy alone.

N rows, F features, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from ffspec.data.loaded import Features, Floats, Ints
from ffspec.rules.statistics import sample

Fit: TypeAlias = Callable[[Floats, Floats], Floats]
"""From features (N, F) and signs (N,) to weights (F,)."""

EPSILON = 1e-9


def is_inseparable(x: Features, codes: Ints) -> bool:
    """Return whether it is certain that no linear scores put the right class of every row first.

    They exist if and only if some w has a positive product with every z = (e_y - e_j) (x) [x, 1], a row for each wrong
    class j of each row; and that is so unless 0 lies in the convex hull of all z (Kesler's construction; Gordan 1873).
    """
    rows = np.column_stack([x, np.ones(len(x))])
    classes = np.unique(codes)
    if len(classes) < 2:
        return False
    if len(classes) == 2:
        return _holds_zero(np.where(codes == classes[1], 1.0, -1.0)[:, None] * rows)
    parts = []
    for other in classes:
        wrong = codes != other
        z = np.zeros((int(wrong.sum()), len(classes), rows.shape[1]))
        z[np.arange(len(z)), np.searchsorted(classes, codes[wrong])] = rows[wrong]
        z[:, np.searchsorted(classes, other)] = -rows[wrong]
        parts.append(z.reshape(len(z), -1))
    return _holds_zero(np.concatenate(parts))


def _holds_zero(z: Floats) -> bool:
    """Return whether the convex hull of the rows of z holds 0, by non-negative least squares (Lawson and Hanson 1974).

    Of the weights with A w nearest to b, where A's columns are the rows of z with a 1 below and b is 0 with a 1 below,
    the residual either vanishes, or its negative is a w with z w > 0. Where rounding leaves it open, the answer is no.
    """
    a = np.column_stack([z / np.linalg.norm(z, axis=1, keepdims=True), np.ones(len(z))]).T
    b = np.zeros(len(a))
    b[-1] = 1.0
    weights = np.zeros(a.shape[1])
    passive = np.zeros(a.shape[1], dtype=np.bool_)
    for _ in range(3 * a.shape[1]):
        residual = b - a @ weights
        if residual @ residual < EPSILON**2:
            return True
        gradient = a.T @ residual
        gradient[passive] = -np.inf
        entering = int(gradient.argmax())
        if gradient[entering] <= EPSILON:
            return False
        passive[entering] = True
        weights = _solved(a, b, weights, passive)
    return False


def _solved(a: Floats, b: Floats, weights: Floats, passive: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
    """Return the least-squares weights of the passive columns, those made inactive that would be negative."""
    while passive.any():
        wanted = np.zeros_like(weights)
        wanted[passive] = np.linalg.lstsq(a[:, passive], b, rcond=None)[0]
        negative = passive & (wanted <= 0)
        if not negative.any():
            return wanted
        step = float((weights[negative] / (weights[negative] - wanted[negative])).min())
        weights = weights + step * (wanted - weights)
        passive &= weights > EPSILON
        weights = np.where(passive, weights, 0.0)
    return np.zeros_like(weights)


def is_truth_table(x: Features, *, levels: int = 4) -> bool:
    """Return whether the rows are a function's table: few values in each column, and half of their combinations."""
    cells = 1
    for column in x.T:
        count = len(np.unique(column))
        cells *= count
        if count > levels or cells > 2 * len(x):
            return False
    return 2 * len(np.unique(x, axis=0)) >= cells


def products(features: int) -> int:
    """Count the features, their squares and their products."""
    return features + features * (features + 1) // 2


def judge(features: Features, codes: Ints) -> tuple[Floats, Floats]:
    """Return which rows a linear classifier gets right, and which one with squares and products does, as 0 and 1.

    Both are fitted on half of the rows and judged on the other, by turns: on the rows they were fitted on, more
    features always seem to tell more. Always answering with the largest class is linear too, and may be better.
    """
    x: Floats = features.astype(np.float64, copy=False)
    deviations = x.std(axis=0)
    x = (x[:, deviations > 0] - x.mean(axis=0)[deviations > 0]) / deviations[deviations > 0]
    upper = np.triu_indices(x.shape[1])
    squared = np.column_stack([x, (x[:, upper[0]] * x[:, upper[1]])])
    deviations = squared.std(axis=0)
    squared = (squared - squared.mean(axis=0)) / np.where(deviations > 0, deviations, 1.0)
    half = np.zeros(len(x), dtype=np.bool_)
    half[sample(len(x), len(x) // 2)] = True
    linear, majority = _right(x, codes, half, _logistic), (codes == np.bincount(codes).argmax()).astype(np.float64)
    return max(linear, majority, key=np.mean), _right(squared, codes, half, _ridge)


def _right(x: Floats, codes: Ints, half: np.ndarray[tuple[int], np.dtype[np.bool_]], fit: Fit) -> Floats:
    """Return 1 for every row that is judged rightly by what was fitted on the other half."""
    x = np.column_stack([x, np.ones(len(x))])
    right = np.zeros(len(x))
    for learnt in (half, ~half):
        right[~learnt] = _predicted(x[learnt], codes[learnt], x[~learnt], fit) == codes[~learnt]
    return right


def _predicted(x: Floats, codes: Ints, new: Floats, fit: Fit) -> Ints:
    """Return the class of each new row: each pair of classes has a vote, and a close one counts less."""
    classes = np.unique(codes)
    votes = np.zeros((len(new), len(classes)))
    for first in range(len(classes)):
        for second in range(first + 1, len(classes)):
            rows = (codes == classes[first]) | (codes == classes[second])
            weights = fit(x[rows], np.where(codes[rows] == classes[second], 1.0, -1.0))
            score = np.clip(new @ weights, -1e6, 1e6)
            votes[:, second] += (score > 0) + np.tanh(score) / 1e3
            votes[:, first] += (score <= 0) - np.tanh(score) / 1e3
    best: Ints = classes[votes.argmax(axis=1)]
    return best


def _logistic(x: Floats, signs: Floats) -> Floats:
    """Fit a logistic regression with a ridge of 1, by Newton's method with halved steps."""
    weights = np.zeros(x.shape[1])

    def cost(w: Floats) -> float:
        return float(np.logaddexp(0.0, -signs * (x @ w)).sum() + w @ w / 2)

    now = cost(weights)
    for _ in range(25):
        chances = np.exp(-np.logaddexp(0.0, signs * (x @ weights)))
        gradient = x.T @ (signs * chances) - weights
        hessian = (x.T * (chances * (1 - chances))) @ x + np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        while (after := cost(weights + step)) > now and np.abs(step).max() > EPSILON:
            step /= 2
        if now - after < 1e-6 * now:
            break
        weights, now = weights + step, after
    return weights


def _ridge(x: Floats, signs: Floats) -> Floats:
    """Fit the signs by least squares with a small ridge, through the smaller of the two Gram matrices."""
    ridge = 1e-2 * len(x)
    if x.shape[1] <= len(x):
        return np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ signs).astype(np.float64, copy=False)
    weights: Floats = x.T @ np.linalg.solve(x @ x.T + ridge * np.eye(len(x)), signs)
    return weights
