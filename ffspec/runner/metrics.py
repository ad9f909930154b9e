"""From outputs to predictions, and from predictions to scikit-learn's metrics.

Shapes: B batch, C classes or target columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.spec.losses import Loss
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


def read_classes(output_BC: Tensor, loss: Loss) -> Prediction:
    """Read class predictions off an output, as its loss takes it.

    One column speaks of the second of two classes, several of a class each.
    """
    output = output_BC.detach().double()
    if output.shape[1] > 1:
        probability = _distribution(output, loss)
        ranked = -output if loss.output == "distance" else output
        score = ranked if probability is None else probability
        label = ranked.argmax(dim=1)
        return Prediction(label=label, score=score[:, 1] if output.shape[1] == 2 else score, probability=probability)  # noqa: PLR2004
    column = output.squeeze(1)
    match loss.output:
        case "logit":
            positive, chance = column >= 0, torch.sigmoid(column)
        case "probability":
            positive, chance = column >= 0.5, column  # noqa: PLR2004 - even odds
        case "margin":
            positive, chance = column >= 0, None
        case "distance":
            column = float(getattr(loss, "margin", 1.0)) / 2 - column
            positive, chance = column >= 0, None
        case _:
            positive, chance = column >= 0.5, None  # noqa: PLR2004 - between the targets 0 and 1
    probability = None if chance is None else torch.stack([1 - chance, chance], dim=1)
    return Prediction(label=positive.long(), score=column, probability=probability)


def read_values(output_BC: Tensor, loss: Loss) -> Tensor:
    """Read predicted numbers off an output, (B, C)."""
    output = output_BC.detach().double()
    return output.exp() if loss.output == "log_rate" else output


def measure(
    output_BC: Tensor, y: Tensor, loss: Loss, classes: int | None, metrics: Sequence[Metric]
) -> dict[str, float]:
    """Compute metrics of one split.

    Args:
        output_BC: The network's output in eval mode.
        y: Class numbers (B,), or numbers (B, C).
        loss: What the output is trained for.
        classes: The number of classes, or None for numbers.
        metrics: What to compute; one that is undefined here (one class only, say) is left out.
    """
    if not metrics:
        return {}
    truth = y.cpu().numpy()
    if classes is None:
        readings: dict[str, Any] = {"output": read_values(output_BC, loss).cpu().numpy()}
    else:
        prediction = read_classes(output_BC, loss)
        probability = prediction.probability
        readings = {
            "prediction": prediction.label.cpu().numpy(),
            "score": prediction.score.cpu().numpy(),
            "probability": None if probability is None else probability.cpu().numpy(),
        }
    results = {}
    for metric in metrics:
        reading = readings.get(metric.reading)
        value = None if reading is None else _compute(metric, truth, reading, classes)
        if value is not None:
            results[metric.name] = value
    return results


def _compute(metric: Metric, truth: Any, reading: Any, classes: int | None) -> float | None:
    import sklearn.metrics  # noqa: PLC0415 - costs a second; a run without metrics does not need it

    arguments = dict(metric.arguments)
    present = len(set(truth.tolist())) if classes is not None else None
    if metric.reading == "probability":
        arguments["labels"] = list(range(classes or 0))
        if metric.name == "brier":
            reading = reading[:, 1] if classes == 2 else reading  # noqa: PLR2004
            if classes == 2:  # noqa: PLR2004
                arguments = {"pos_label": 1}
        elif classes is not None and classes > 2:  # noqa: PLR2004
            # One against the rest gives columns that need not sum to one.
            reading = reading / reading.sum(axis=1, keepdims=True).clip(min=1e-300)
    if metric.reading == "score":
        if present != classes or (metric.binary_only and classes != 2):  # noqa: PLR2004
            return None
        if metric.name == "roc_auc" and classes is not None and classes > 2:  # noqa: PLR2004
            return _one_against_rest(sklearn.metrics.roc_auc_score, truth, reading, classes)
    if arguments.get("average") == "macro" and classes == 2:  # noqa: PLR2004
        arguments["average"] = "binary"
    elif "average" in arguments:
        arguments["labels"] = list(range(classes or 0))
    if metric.name in {"r2", "explained_variance"} and len(truth) < 2:  # noqa: PLR2004 - no variance
        return None
    if metric.name == "balanced_accuracy":
        return float(sklearn.metrics.recall_score(truth, reading, average="macro", labels=sorted(set(truth.tolist())), zero_division=0))
    return float(getattr(sklearn.metrics, metric.function)(truth, reading, **arguments))


def _one_against_rest(function: Any, truth: Any, score: Any, classes: int) -> float:
    """Return the mean over the classes of a ranking metric (Provost and Domingos 2000, without weights)."""
    return float(sum(function(truth == code, score[:, code]) for code in range(classes)) / classes)


def _distribution(output: Tensor, loss: Loss) -> Tensor | None:
    match loss.output:
        case "logits":
            return output.softmax(dim=1)
        case "log_probabilities":
            return output.exp()
        case "logit":
            return output.sigmoid()
        case "probability":
            return output
    return None
