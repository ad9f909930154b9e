"""How sure a network is, and how sure it may be, which is fitted on the validation split after training.

Shapes: N rows, C classes. An ejected script holds these definitions as they are written here: they use no more than
torch and the standard library.
"""

from __future__ import annotations

from math import inf, sqrt

import torch
from torch import Tensor, nn


class Temperature(nn.Module):
    """Scores divided by a temperature in eval mode; in train mode the scores as they are (Guo et al. 2017).

    The temperature is 1 until `fit` finds a better one. No prediction changes, only how sure it is.

    Shape: (N, C) to the same.
    """

    temperature: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores, in eval mode divided by the temperature."""
        return x if self.training else x / self.temperature

    def fit(self, scores: Tensor, target: Tensor) -> None:
        """Set the temperature that gives the least log-loss.

        Args:
            scores: What the layer received, (N, C).
            target: Class numbers, (N,); or 0 and 1 in the shape of the scores, each a question of its own.
        """
        scores = scores.detach().double()
        if target.shape == scores.shape:  # the sigmoid of a score is the softmax of it and 0
            scores = torch.stack([torch.zeros_like(scores), scores], dim=-1).flatten(0, -2)
            target = target.flatten()
        wanted = nn.functional.one_hot(target.long(), scores.shape[1]).double()
        self.temperature.fill_(1 / sharpness(scores, wanted))


def sharpness(scores: Tensor, wanted: Tensor) -> float:
    """Return the factor between 0.01 and 100 with the least log-loss of the scores times it.

    The loss is convex in the factor: Newton's method, and a bisection where it would leave what is left to search. The
    labels are taken for as sure as so many right ones make them, and no surer (Platt 1999): where every row is right,
    the loss would fall for ever, and of few rows one that is wrong must not decide alone.

    Args:
        scores: In float64, (N, C).
        wanted: The probabilities they should have, (N, C).
    """
    low, high, factor = 0.01, 100.0, 1.0
    wanted = wanted + (1 / scores.shape[1] - wanted) / (len(scores) + 2)
    for _ in range(100):
        slope, curvature = _slope(scores, wanted, factor)
        if slope == 0:
            break
        low, high = (low, factor) if slope > 0 else (factor, high)
        found = factor - slope / curvature if curvature > 0 else inf
        found = found if low < found < high else sqrt(low * high)
        moved, factor = abs(found - factor), found
        if moved <= 1e-12 * factor:
            break
    return factor


def _slope(scores: Tensor, wanted: Tensor, factor: float) -> tuple[float, float]:
    """Return the first and second derivative of the log-loss by the factor."""
    probability = (scores * factor).softmax(dim=1)
    mean = (probability * scores).sum(dim=1, keepdim=True)
    slope = (mean.squeeze(1) - (wanted * scores).sum(dim=1)).mean()
    curvature = (probability * (scores - mean) ** 2).sum(dim=1).mean()
    return float(slope), float(curvature)


def best_threshold(chance: Tensor, truth: Tensor, measure: str) -> float:
    """Return the threshold with the best value of a measure; of equal ones 0.5, or the nearest to it.

    Thresholds are tried halfway between neighbouring probabilities.

    Args:
        chance: The probability of the second of two classes, (N,).
        truth: Class numbers, (N,).
        measure: accuracy, balanced_accuracy, f1 or matthews_corrcoef.
    """
    order = chance.argsort(descending=True, stable=True)
    edges = torch.cat([chance.new_ones(1), chance[order], chance.new_zeros(1)])
    thresholds = (edges[:-1] + edges[1:]) / 2
    right = torch.cat([chance.new_zeros(1), truth[order].to(chance.dtype).cumsum(dim=0)])
    values = _agreement(measure, right, torch.arange(len(edges) - 1).to(chance.dtype))
    apart = edges[:-1] > edges[1:]
    apart[-1] = True  # every row is of the second class
    best = values[apart].max() - 1e-12
    if values[(chance >= 0.5).sum()] >= best:
        return 0.5
    found = thresholds[apart & (values >= best)]
    return float(found[(found - 0.5).abs().argmin()])


def _agreement(measure: str, right: Tensor, said: Tensor) -> Tensor:
    """Return a measure of predicting the second class for more and more rows; 0 where it is undefined.

    Args:
        measure: Which.
        right: How many of them are of that class.
        said: How many they are.
    """
    rows, positive = said[-1], right[-1]
    negative, rejected = rows - positive, rows - said - positive + right
    if measure == "accuracy":
        return (right + rejected) / rows
    if measure == "f1":
        return 2 * right / (said + positive).clamp(min=1)
    if measure == "balanced_accuracy":
        return (right / positive.clamp(min=1) + rejected / negative.clamp(min=1)) / 2
    size = (said * (rows - said) * positive * negative).sqrt()
    return (right * rejected - (said - right) * (positive - right)) / size.clamp(min=1)


def expected_calibration_error(
    probability: Tensor,
    truth: Tensor,
    weight: Tensor | None = None,
) -> float:
    """Return how far the highest probability is from how often it is right, over 15 bins (Naeini et al. 2015).

    Args:
        probability: Of each class, (N, C).
        truth: Class numbers, (N,).
        weight: How much each row counts, (N,); all the same if None.
    """
    confidence, label = probability.max(dim=1)
    bins = (confidence * 15).ceil().long().clamp(1, 15) - 1
    gap = (label == truth).double() - confidence
    if weight is not None:
        gap = gap * weight * (len(truth) / weight.sum())
    gaps = torch.bincount(bins, gap, minlength=15)
    return float(gaps.abs().sum() / len(truth))
