"""A ridge regression of each of many networks beside its layers.

Shapes: M members, B batch, F features, O outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ffspec.builder.population import layers as computing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.builder.population.layers import Layer


class Shortcut:
    """W x + b + scale f(x), where only f is trained (`ffspec.builder.shortcut.RidgeResidual`).

    Args:
        layers: What makes f.
        weight: (M, O, F).
        bias: (M, O).
        scale: (M, O).
    """

    def __init__(self, layers: Sequence[Layer], weight: Tensor, bias: Tensor, scale: Tensor) -> None:
        self._layers = layers
        self._weight, self._bias, self._scale = weight, bias.unsqueeze(2), scale.unsqueeze(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both."""
        return self._sum(x, computing.forward(self._layers, x))

    def evaluate(self, x: Tensor) -> Tensor:
        """Return the sum of both."""
        return self._sum(x, computing.evaluate(self._layers, x))

    def _sum(self, x: Tensor, inner: Tensor) -> Tensor:
        x = x if x.dim() == 3 else x.expand(len(self._weight), -1, -1)
        return torch.baddbmm(self._bias, self._weight, x).addcmul_(self._scale, inner)

    def backward(self, g: Tensor, *, wanted: bool) -> Tensor | None:
        """Return the gradient of both."""
        inner = computing.backward(self._layers, g * self._scale, wanted=wanted)
        if not wanted:
            return None
        straight = torch.bmm(self._weight.transpose(1, 2), g)
        return straight if inner is None else straight.add_(inner)
