"""The loss of a plan, and the form its target takes.

Shapes: B batch, F features, C classes or target columns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ffspec.builder.network import construct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.spec.kinds import TargetForm
    from ffspec.spec.step import Call


def build_loss(call: Call, *, counts: Sequence[int] = (), dtype: torch.dtype = torch.float32) -> nn.Module:
    """Build the loss a call names.

    Args:
        call: The call, of torch.nn or of `ffspec.builder.modules`.
        counts: The training rows of each class, which `balanced` weights are computed from.
        dtype: The type of the weights.
    """
    arguments = dict(call.arguments)
    if arguments.get("weight") is not None:
        given = arguments["weight"]
        weights = balanced(counts) if given == "balanced" else list(given)
        arguments["weight"] = torch.tensor(weights, dtype=dtype)
    if arguments.get("pos_weight") is not None:
        given = arguments["pos_weight"]
        arguments["pos_weight"] = torch.tensor(_positives(counts) if given == "balanced" else given, dtype=dtype)
    return construct(replace(call, arguments=arguments))


class WeightedMean(nn.Module):
    """The mean of the rows' losses, each with a weight of its own: sum(w l) / sum(w).

    Where classes have weights too, a row counts with the product of both, as in PyTorch's mean. Rows that weigh nothing
    at all have a loss of 0.

    Shape: output (B, C), target (B,) or (B, C), weight (B,) to a scalar.
    """

    def __init__(self, losses: nn.Module) -> None:
        super().__init__()
        self.losses = losses

    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the weighted mean."""
        losses: Tensor = self.losses(output, target)
        rows = losses.flatten(1).mean(dim=1) if losses.dim() > 1 else losses
        classes = self.losses.weight if isinstance(self.losses, nn.CrossEntropyLoss | nn.NLLLoss) else None
        total = (weight if classes is None else weight * classes[target]).sum()
        return (rows * weight).sum() / total.clamp(min=torch.finfo(weight.dtype).tiny)


def build_weighted(call: Call, *, counts: Sequence[int] = (), dtype: torch.dtype = torch.float32) -> WeightedMean:
    """Build the loss a call names for rows that have weights; see `build_loss`."""
    apart = replace(call, arguments={**call.arguments, "reduction": "none"})
    return WeightedMean(build_loss(apart, counts=counts, dtype=dtype))


def balanced(counts: Sequence[int]) -> list[float]:
    """Return rows / (classes * rows of the class) for each class, as scikit-learn's `balanced` does."""
    rows = sum(counts)
    return [rows / (len(counts) * count) if count else 0.0 for count in counts]


def _positives(counts: Sequence[int]) -> float | list[float]:
    """Return negatives per positive: of the second of two classes, or of each of more."""
    if len(counts) == 2:
        return counts[0] / counts[1] if counts[1] else 1.0
    rows = sum(counts)
    return [(rows - count) / count if count else 1.0 for count in counts]


def encode(y: Tensor, form: TargetForm, classes: int | None, dtype: torch.dtype) -> Tensor:
    """Give a target the form its loss compares the output with.

    Args:
        y: Class numbers of shape (B,), or numbers of shape (B, C).
        form: What the loss expects.
        classes: The number of classes, or None for numbers.
        dtype: The type of the result, but for class numbers.

    Returns:
        For `index` the class numbers, (B,). Else for two classes one column (B, 1), for more a column each (B, C):
        0 or 1, or for `sign` -1 or +1. Numbers stay as they are.
    """
    if form == "index":
        return y
    if classes is None:
        return y.to(dtype)
    columns = y.unsqueeze(1) if classes <= 2 else nn.functional.one_hot(y, classes)
    return (columns * 2 - 1 if form == "sign" else columns).to(dtype)
