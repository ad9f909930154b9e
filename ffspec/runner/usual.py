"""The usual metrics to scikit-learn's last bit, without the second it takes to import: a small run needs no others.

Shapes: N rows, C target columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


def _accuracy(truth_N: Any, label_N: Any, weight_N: Any) -> float:
    return float(np.average(truth_N == label_N, weights=weight_N))


def _mse(truth_NC: Any, value_NC: Any, weight_N: Any) -> float:
    return float(np.average(np.average((truth_NC - value_NC) ** 2, axis=0, weights=weight_N)))


def _rmse(truth_NC: Any, value_NC: Any, weight_N: Any) -> float:
    return float(np.average(np.sqrt(np.average((truth_NC - value_NC) ** 2, axis=0, weights=weight_N))))


def _mae(truth_NC: Any, value_NC: Any, weight_N: Any) -> float:
    return float(np.average(np.average(np.abs(value_NC - truth_NC), axis=0, weights=weight_N)))


def _r2(truth_NC: Any, value_NC: Any, weight_N: Any) -> float | None:
    weight: Any = 1.0 if weight_N is None else weight_N[:, None]
    left = np.sum(weight * (truth_NC - value_NC) ** 2, axis=0)
    whole = np.sum(weight * (truth_NC - np.average(truth_NC, axis=0, weights=weight_N)) ** 2, axis=0)
    return float(np.average(1 - left / whole)) if whole.all() else None


USUAL: dict[str, Callable[[Any, Any, Any], float | None]] = {
    "accuracy": _accuracy,
    "mse": _mse,
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
}
"""From the truth, what was predicted, and the weights of rows or None; None where it has to be asked for."""
