"""The linear models a network must beat, where they are small: their optimum by Newton's method, in numpy alone.

scikit-learn's reach the same one, but take a second to import.

Shapes: N rows, F features, K columns of numbers or classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Model: TypeAlias = Callable[[Any], Any]
"""From rows (N, F) to predicted numbers, or to the logarithms of probabilities, (N, K)."""

PARAMETERS = 100
"""Numbers to learn at most: a step solves a system of as many equations."""
WORK = 20_000_000
"""Rows times the square of that at most: what a step has to add up."""
STEPS = 100
FLAT = 1e-10
"""What a step would still gain, relative to the loss, when there is nothing left to learn."""


def ridge(x: Any, y: Any, weight: Any) -> Model:
    """Return the least squares with a penalty of 1 on the squared slopes (scikit-learn's Ridge).

    Args:
        x: Standardised features, (N, F) in float64.
        y: Numbers, (N, K).
        weight: How much each row counts, (N,), or None.
    """
    shares = np.ones(len(x)) if weight is None else weight
    center, level = np.average(x, axis=0, weights=shares), np.average(y, axis=0, weights=shares)
    root = np.sqrt(shares)[:, None]
    moved, wanted = (x - center) * root, (y - level) * root
    if x.shape[1] <= len(x):
        slopes = np.linalg.solve(moved.T @ moved + np.eye(x.shape[1]), moved.T @ wanted)
    else:
        slopes = moved.T @ np.linalg.solve(moved @ moved.T + np.eye(len(x)), wanted)
    return lambda rows: (rows - center) @ slopes + level


def fits(rows: int, features: int, classes: int) -> bool:
    """Return whether a logistic regression is small enough."""
    parameters = (features + 1) * (1 if classes == 2 else classes)
    return parameters <= PARAMETERS and rows * parameters**2 <= WORK


def logistic(x: Any, y: Any, weight: Any) -> Model:
    """Return the logistic regression with a penalty of 1/2 on the squared slopes (scikit-learn's, with C=1).

    Args:
        x: Standardised features, (N, F) in float64.
        y: Class numbers from 0 on, (N,); each is there.
        weight: How much each row counts, (N,), or None.
    """
    classes = int(y.max()) + 1
    rows = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    shares = np.ones(len(x)) if weight is None else weight
    # Of two classes only the second has scores of its own: those of the first stay 0.
    free = np.arange(classes) if classes > 2 else np.array([1])
    wanted = np.eye(classes)[y]
    slopes = np.zeros((rows.shape[1], classes))
    penalty = np.append(np.ones(x.shape[1]), 1e-9)  # all scores may move together: that must not be free either
    loss, chances = _loss(rows, wanted, shares, slopes, penalty)
    for _ in range(STEPS):
        gradient = rows.T @ (shares[:, None] * (chances - wanted)) + penalty[:, None] * slopes
        step = np.zeros_like(slopes)
        curvature = _curvature(rows, shares, chances[:, free], penalty)
        step[:, free] = np.linalg.solve(curvature, gradient[:, free].T.ravel()).reshape(len(free), -1).T
        gain, size = float((step * gradient).sum()), 1.0
        if gain <= FLAT * loss:
            break
        while (found := _loss(rows, wanted, shares, slopes - size * step, penalty))[0] > loss - 1e-4 * size * gain:
            size /= 2
            if size < 1e-6:
                break
        slopes, (loss, chances) = slopes - size * step, found
    return lambda given: _logarithms(given @ slopes[:-1] + slopes[-1])


def _loss(rows: Any, wanted: Any, shares: Any, slopes: Any, penalty: Any) -> tuple[float, Any]:
    """Return the penalised log-loss, and the probabilities, (N, K)."""
    logarithms = _logarithms(rows @ slopes)
    each = -(wanted * logarithms).sum(axis=1)
    return float(shares @ each + 0.5 * (penalty[:, None] * slopes**2).sum()), np.exp(logarithms)


def _logarithms(scores: Any) -> Any:
    """Return the log-softmax of each row."""
    moved = scores - scores.max(axis=1, keepdims=True)
    return moved - np.log(np.exp(moved).sum(axis=1, keepdims=True))


def _curvature(rows: Any, shares: Any, chances: Any, penalty: Any) -> Any:
    """Return the second derivatives by the slopes of one class after another, (K F, K F)."""
    count, width = chances.shape[1], rows.shape[1]
    made = np.empty((count, width, count, width))
    for one in range(count):
        for other in range(one, count):
            part = chances[:, one] * ((one == other) - chances[:, other]) * shares
            made[one, :, other] = rows.T @ (part[:, None] * rows) + (one == other) * np.diag(penalty)
            made[other, :, one] = made[one, :, other].T
    return made.reshape(count * width, count * width)
