"""Layers that scale: what they multiply with is learnt, or follows from the width.

Shapes: B batch, F features, O outputs; any axes may stand in front of the last. An ejected script holds these classes
as they are written here: each uses no more than torch.
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
