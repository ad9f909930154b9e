"""Layers that scale: what they multiply with is learnt, or follows from the width or the targets.

Shapes: B batch, F features, O outputs, C target columns; any axes may stand in front of the
last. An ejected script holds these classes as they are written here: each uses no more than torch.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn


class Scale(nn.Module):
    """x times a learnt factor for each feature, which starts at 1 (arXiv 2407.04491, section 3).

    Shape: (B, F) to the same.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features
        self.weight = nn.Parameter(torch.ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled features."""
        return x * self.weight

    def extra_repr(self) -> str:
        """Return the argument, as printing the network shows it."""
        return f"{self.num_features}"


class NTKLinear(nn.Linear):
    """x W^T / sqrt(in_features) + b: a linear whose weights are of size 1 (Jacot et al. 2018).

    A step of a given length then changes the outputs of wide and narrow layers alike.

    Shape: (B, F) to (B, O).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted sums; the inputs are scaled, for they are fewer than the weights."""
        return nn.functional.linear(x * (1 / sqrt(self.in_features)), self.weight, self.bias)


class Parametric(nn.Module):
    """x + a (act(x) - x): an activation of which each feature learns its share a (arXiv 2407.04491).

    Args:
        num_features: Features, each with a share of its own.
        activation: The name of the activation in torch.nn.functional.
        members: Members of the ensemble it is part of, each with shares of its own.

    Shape: (B, F) to the same.
    """

    def __init__(self, num_features: int, activation: str, *, members: int | None = None) -> None:
        super().__init__()
        self.num_features, self.activation, self.members = num_features, activation, members
        front = () if members is None else (members, 1)
        self.weight = nn.Parameter(torch.ones(*front, num_features))

    def forward(self, x: Tensor) -> Tensor:
        """Return x moved towards its activation."""
        acted: Tensor = getattr(nn.functional, self.activation)(x)
        return x + self.weight * (acted - x)

    def extra_repr(self) -> str:
        """Return the arguments, as printing the network shows them."""
        return f"{self.num_features}, {self.activation!r}"


class TargetScale(nn.Module):
    """In eval mode, standardised predictions in the units of the target: center + scale * x.

    While training nothing is done: the network is compared with standardised targets. Until it is
    fitted, center is 0 and scale 1.

    Args:
        num_targets: Columns of the target.
        clamp: Whether predictions stay within the range of the training targets.

    Shape: (B, C) to the same.
    """

    center: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, num_targets: int, *, clamp: bool = True) -> None:
        super().__init__()
        self.num_targets = num_targets
        self.clamp = clamp
        self.register_buffer("center", torch.zeros(num_targets))
        self.register_buffer("scale", torch.ones(num_targets))
        self.register_buffer("low", torch.full((num_targets,), -torch.inf))
        self.register_buffer("high", torch.full((num_targets,), torch.inf))

    def fit(self, y: Tensor) -> None:
        """Take mean, standard deviation and range of the training targets, (N, C) in float64."""
        self.take(y.mean(dim=0), y.std(dim=0, unbiased=False), y.amin(dim=0), y.amax(dim=0))

    def take(self, mean: Tensor, deviation: Tensor, low: Tensor, high: Tensor) -> None:
        """Take mean, standard deviation and range of the training targets, (C,) each in float64."""
        self.center.copy_(mean)
        self.low.copy_(low)
        self.high.copy_(high)
        self.scale.copy_(deviation)
        # A target that is always the same has no unit of its own.
        self.scale.masked_fill_((self.low == self.high) | (self.scale == 0), 1.0)

    def standardise(self, y: Tensor) -> Tensor:
        """Return targets, or predictions in their units, as the network works with them."""
        return (y - self.center) / self.scale

    def forward(self, x: Tensor) -> Tensor:
        """Return the predictions."""
        if self.training:
            return x
        y = self.center + self.scale * x
        return y.clamp(self.low, self.high) if self.clamp else y

    def extra_repr(self) -> str:
        """Return the arguments, as printing the network shows them."""
        return f"{self.num_targets}, clamp={self.clamp}"
