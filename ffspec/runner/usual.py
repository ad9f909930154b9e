"""The usual metrics to scikit-learn's last bit, without the second it takes to import: a small run needs no others.

Shapes: N rows, C classes or target columns.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 10_000
"""Rows whose logarithms are taken one by one, at most."""


def _accuracy(truth_N: Any, label_N: Any, weight_N: Any) -> float:
    right = truth_N == label_N
    share = np.count_nonzero(right) / len(right) if weight_N is None else np.average(right, weights=weight_N)
    return float(share)  # newer NumPys count in numbers of their own


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


def _log_loss(truth_N: Any, share_NC: Any, weight_N: Any) -> float | None:
    if len(truth_N) > ROWS:
        return None
    tiny = float(np.finfo(share_NC.dtype).eps)
    chances = np.clip(share_NC[np.arange(len(truth_N)), truth_N], tiny, 1 - tiny)
    # The C library's logarithm, as scikit-learn takes it: numpy's own rounds otherwise here and there.
    return float(np.average([-log(chance) for chance in chances.tolist()], weights=weight_N))


USUAL: dict[str, Callable[[Any, Any, Any], float | None]] = {
    "accuracy": _accuracy,
    "log_loss": _log_loss,
    "mse": _mse,
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
}
"""From the truth, what was predicted, and the weights of rows or None; None where it has to be asked for."""
