"""From outputs to predictions, and from predictions to scikit-learn's metrics.

Shapes: B batch, C classes or target columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ffspec.builder.calibration import expected_calibration_error
from ffspec.runner.usual import USUAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.spec.kinds import Loss
    from ffspec.spec.metrics import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What an output says about class targets."""

    label: Tensor
    """The predicted class numbers, (B,)."""
    score: Tensor
    """The higher, the likelier: of the second of two classes (B,), or of each of more (B, C)."""
    probability: Tensor | None
    """Probabilities of all classes, (B, C), where the loss makes the output mean that."""


def read_classes(output_BC: Tensor, loss: Loss, threshold: float | None = None) -> Prediction:
    """Read class predictions off an output, as its loss takes it.

    One column speaks of the second of two classes, unless the loss wants a score for each; several of a class each.
    With a threshold, the second of two classes is predicted where its probability reaches it.
    """
    found = _read_classes(output_BC, loss)
    if threshold is None or found.probability is None:
        return found
    return replace(found, label=(found.probability[:, 1] >= threshold).long())


def _read_classes(output_BC: Tensor, loss: Loss) -> Prediction:
    output = output_BC.detach().double()
    if output.shape[1] > 1 or loss.target == "index":
        probability = _distribution(output, loss)
        ranked = -output if loss.output == "distance" else output
        score = ranked if probability is None else probability
        if output.shape[1] == 2:
            score = score[:, 1] - score[:, 0]
        return Prediction(label=ranked.argmax(dim=1), score=score, probability=probability)
    column = output.squeeze(1)
    chance: Tensor | None = None
    match loss.output:
        case "logit":
            positive, chance = column >= 0, column.sigmoid()
        case "probability":
            positive, chance = column >= 0.5, column
        case "margin":
            positive = column >= 0
        case "distance":
            # Nearer than half the margin, it is nearer to the positives' target than to the negatives'.
            column = float(getattr(loss, "margin", 1.0)) / 2 - column
            positive = column >= 0
        case _:
            column = read_values(column, loss)
            positive = column >= 0.5  # between the targets 0 and 1
    probability = None if chance is None else torch.stack([1 - chance, chance], dim=1)
    return Prediction(label=positive.long(), score=column, probability=probability)


def read_values(output_BC: Tensor, loss: Loss) -> Tensor:
    """Read predicted numbers off an output, (B, C)."""
    output = output_BC.detach().double()
    return output.exp() if loss.output == "log_rate" else output


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The rows of a split as metrics take them: numpy arrays."""

    classes: int | None
    """The number of classes, or None for numbers."""
    truth: Any
    """Class numbers (B,), or numbers (B, C)."""
    output: Any = None
    """Predicted numbers, (B, C)."""
    prediction: Any = None
    score: Any = None
    probability: Any = None
    """As in a `Prediction`."""
    weight: Any = None
    """How much each row counts, (B,); all the same if None."""

    @cached_property
    def shares(self) -> Any:
        """The probabilities as a distribution over the classes, (B, C).

        One against the rest gives columns that need not sum to one; if all are zero, each class is as likely.
        """
        if self.classes == 2:
            return self.probability
        shares = self.probability + 1e-300
        return shares / shares.sum(axis=1, keepdims=True)


def read(  # noqa: PLR0913 - what a measure depends on
    output_BC: Tensor,
    y: Tensor,
    loss: Loss,
    classes: int | None,
    threshold: float | None = None,
    *,
    weight: Tensor | None = None,
) -> Reading:
    """Read what metrics are computed from off an output; see `measure`."""
    truth, weights = y.cpu().numpy(), None if weight is None else weight.cpu().numpy()
    if classes is None:
        output = read_values(output_BC, loss).cpu().numpy()
        return Reading(classes=None, truth=truth, output=output, weight=weights)
    prediction = read_classes(output_BC, loss, threshold)
    probability = prediction.probability
    return Reading(
        classes=classes,
        truth=truth,
        prediction=prediction.label.cpu().numpy(),
        score=prediction.score.cpu().numpy(),
        probability=None if probability is None else probability.cpu().numpy(),
        weight=weights,
    )


def measure(  # noqa: PLR0913 - what a measure depends on
    output_BC: Tensor,
    y: Tensor,
    loss: Loss,
    classes: int | None,
    metrics: Sequence[Metric],
    *,
    threshold: float | None = None,
    weight: Tensor | None = None,
) -> dict[str, float]:
    """Compute metrics of one split.

    Args:
        output_BC: The network's output in eval mode.
        y: Class numbers (B,), or numbers (B, C).
        loss: What the output is trained for.
        classes: The number of classes, or None for numbers.
        metrics: What to compute; one that is undefined here (one class only, say) is left out.
        threshold: From which probability on the second of two classes is predicted; None: where it is the likelier.
        weight: How much each row counts, (B,), where they differ; a max_error has no use for it.
    """
    if not metrics:
        return {}
    return measure_reading(read(output_BC, y, loss, classes, threshold, weight=weight), metrics)


def measure_reading(reading: Reading, metrics: Sequence[Metric]) -> dict[str, float]:
    """Compute metrics of what was read; one that is undefined is left out."""
    results = {}
    for metric in metrics:
        given = getattr(reading, metric.reading)
        value = None if given is None else _value(metric, reading, given)
        if value is not None:
            results[metric.name] = value
    return results


def _value(metric: Metric, read: Reading, given: Any) -> float | None:
    if not metric.function:
        return _own(metric, read)
    # The variance of a single row is no scale to measure by.
    if metric.name in {"r2", "explained_variance"} and len(read.truth) < 2:
        return None
    told = read.shares if metric.reading == "probability" else given
    usual = USUAL[metric.name](read.truth, told, read.weight) if metric.name in USUAL else None
    return _by_sklearn(metric, read, given) if usual is None else usual


def _by_sklearn(metric: Metric, read: Reading, reading: Any) -> float | None:
    truth, classes = read.truth, read.classes
    import sklearn.metrics  # costs a second; a run without metrics does not need it

    weighed = {} if read.weight is None or metric.name == "max_error" else {"sample_weight": read.weight}
    function = partial(getattr(sklearn.metrics, metric.function), **weighed)
    arguments = dict(metric.arguments)
    if classes is None:
        if metric.name == "max_error":  # scikit-learn's takes one column only
            truth, reading = truth.ravel(), reading.ravel()
        return float(function(truth, reading))
    if metric.reading == "score":
        return _ranked(metric, function, truth, reading, classes)
    if metric.reading == "probability":
        return _probable(metric, function, read)
    if metric.name in {"matthews_corrcoef", "cohen_kappa"} and len(set(truth.tolist())) < 2:
        return None  # 0 / 0: one class cannot be agreed on better than by chance
    if "average" in arguments:
        arguments |= {"average": "binary"} if classes == 2 else {"labels": list(range(classes))}
    if metric.name == "balanced_accuracy":
        # Over the classes that are present, as scikit-learn does, but without its warning about predictions of others.
        function = partial(sklearn.metrics.recall_score, **weighed)
        arguments = {"average": "macro", "labels": sorted(set(truth.tolist()))}
    return float(function(truth, reading, **arguments))


def _own(metric: Metric, read: Reading) -> float:
    """Compute what scikit-learn does not have."""
    if metric.quantile is None:
        weight = None if read.weight is None else torch.from_numpy(read.weight)
        return expected_calibration_error(torch.from_numpy(read.shares), torch.from_numpy(read.truth), weight)
    errors = abs(read.truth - read.output)
    if read.weight is None:
        return float(np.quantile(errors, metric.quantile, axis=0).mean())
    each = (np.quantile(one, metric.quantile, weights=read.weight, method="inverted_cdf") for one in errors.T)
    return float(np.mean([*each]))


def _ranked(metric: Metric, function: Any, truth: Any, score: Any, classes: int) -> float | None:
    """Compute a ranking metric; it is undefined where a class is absent."""
    if len(set(truth.tolist())) != classes or (metric.binary_only and classes != 2):
        return None
    return float(function(truth, score)) if classes == 2 else _one_against_rest(function, truth, score, classes)


def _probable(metric: Metric, function: Any, read: Reading) -> float:
    """Compute a metric of probabilities, (B, C)."""
    if read.classes == 2 and metric.name == "brier":
        return float(function(read.truth, read.probability[:, 1], pos_label=1))
    return float(function(read.truth, read.shares, labels=list(range(read.classes or 0))))


def _one_against_rest(function: Any, truth: Any, score: Any, classes: int) -> float:
    """Return the mean over the classes of a ranking metric (Provost and Domingos 2000, without weights)."""
    return float(sum(function(truth == code, score[:, code]) for code in range(classes)) / classes)


def _distribution(output: Tensor, loss: Loss) -> Tensor | None:
    match loss.output:
        case "logits" | "log_probabilities":
            # The softmax of logarithms of probabilities is the probabilities.
            return output.softmax(dim=1)
        case "logit":
            return output.sigmoid()
        case "probability":
            return output
    return None
