"""A function whose slopes are drawn for each of many networks.

Shapes: M members, B batch, F features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

aten: Any = torch.ops.aten


class RRelu:
    """torch.nn.RReLU: what a member draws comes from its own stream, as if it were alone.

    Args:
        module: One with its bounds.
        generators: The stream of each member.
    """

    def __init__(self, module: nn.RReLU, generators: Sequence[torch.Generator]) -> None:
        self._module, self._generators = module, generators
        self._slopes = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        """Return the function of every element, with slopes drawn for those below zero."""
        members = len(self._generators)
        x = x if x.dim() == 3 else x.expand(members, -1, -1)
        rows = x.transpose(1, 2).contiguous()  # rows first: the order in which a single run draws
        noise = torch.ones_like(rows)
        module = self._module
        parts = (one.view(members, -1, x.shape[1]) for one in (rows, noise))  # of an ensemble, all members' rows
        for one, own, generator in zip(*parts, self._generators, strict=True):
            aten.rrelu_with_noise(one, own, module.lower, module.upper, True, generator)
        self._slopes = noise.transpose(1, 2).contiguous()
        return x * self._slopes

    def evaluate(self, x: Tensor) -> Tensor:
        """Return the function with the mean slope."""
        y: Tensor = self._module.eval()(x)
        return y

    def backward(self, g: Tensor, *, wanted: bool) -> Tensor | None:
        """Return the gradient times the slopes."""
        return g.mul_(self._slopes) if wanted else None
