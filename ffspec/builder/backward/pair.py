"""The two directions of a layer.

Shapes: B batch, F features; a gradient has the shape of what it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn


class Pair(NamedTuple):
    """A layer in train mode, for batches of one shape."""

    forward: Callable[[Tensor], Tensor]
    """Returns the output; what the way back needs is remembered."""
    backward: Callable[[Tensor], Tensor]
    """Takes the gradient of the output, which it may overwrite; fills in the gradients of the parameters, and returns
    that of the input, or anything where nothing in front of the layer learns."""
    spare: bool = False
    """Whether the output is a buffer that the next layer may overwrite: the way back does not look at it."""


Make: TypeAlias = Callable[[nn.Module, Tensor, bool], Pair]
"""Makes the pair of a module, given something of its input's shape, and whether anything in front of it learns."""


def gradient_of(parameter: Tensor) -> Tensor:
    """Return the tensor a parameter's gradient is written to, the same in every step."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter, requires_grad=False)
    return parameter.grad


def by_autograd(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of any module: autograd differentiates it, and it alone."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    given = made = x

    def forward(x: Tensor) -> Tensor:
        nonlocal given, made
        given = x.detach().requires_grad_(wanted)
        made = module(given)
        seen: Tensor = made.detach()
        return seen

    def backward(gradient: Tensor) -> Tensor:
        inputs = [given, *parameters] if wanted else parameters
        if not inputs or not made.requires_grad:
            return gradient
        found: list[Tensor | None] = [*torch.autograd.grad(made, inputs, gradient, allow_unused=True)]
        above = found.pop(0) if wanted else gradient
        for parameter, one in zip(parameters, found, strict=True):
            if one is None:
                parameter.grad = None
            else:
                gradient_of(parameter).copy_(one)
        return torch.zeros_like(given) if above is None else above

    return Pair(forward, backward)
