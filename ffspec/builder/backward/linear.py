"""Weighted sums, and what scales.

Shapes: B batch, F features, O outputs.
"""

from __future__ import annotations

from math import sqrt
from typing import cast

import torch
from torch import Tensor, nn

from ffspec.builder.backward.pair import Make, Pair, by_autograd, gradient_of

ROWS = (0,)
"""The axis a gradient is summed over that rows have in common."""


def linear(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.Linear: addmm, and the products of AddmmBackward0."""
    weight, bias = cast("Tensor", module.weight), cast("Tensor | None", module.bias)
    if x.dim() != 2:
        return by_autograd(module, x, wanted)
    made = x.new_empty(len(x), len(weight))
    above = torch.empty_like(x) if wanted else None
    into = gradient_of(weight)
    matrix = weight.detach()
    turned = matrix.t()
    given, seen, seen_turned, single = x, made, made.t(), x.numel() == 1
    shift = None if bias is None else bias.detach()
    row = None if bias is None else gradient_of(bias).view(1, -1)

    def forward(x: Tensor) -> Tensor:
        nonlocal given
        given = x
        return torch.mm(x, turned, out=made) if shift is None else torch.addmm(shift, x, turned, out=made)

    def backward(gradient: Tensor) -> Tensor:
        nonlocal seen, seen_turned
        if gradient is not seen:  # nearly always the same buffer
            seen, seen_turned = gradient, gradient.t()
        if row is not None:  # first, while the gradient is still near
            torch.sum(gradient, ROWS, True, out=row)
        torch.mm(seen_turned, given, out=into)
        if above is None:
            return gradient
        # A single number lies in columns as well as in rows, and PyTorch takes it for columns.
        return torch.mm(turned, seen_turned, out=above) if single else torch.mm(gradient, matrix, out=above)

    return Pair(forward, backward, spare=True)


def ntk_linear(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of NTKLinear: a linear of scaled inputs."""
    if x.dim() != 2:
        return by_autograd(module, x, wanted)
    return of_scaled(linear, module, x, wanted=wanted)


def of_scaled(make: Make, module: nn.Module, x: Tensor, *, wanted: bool) -> Pair:
    """Return the pair of a linear, which `make` makes, of inputs that are divided by the root of their number."""
    scaled = x.new_empty(x.shape)
    inner = make(module, scaled, wanted)
    factor = x.new_tensor(1 / sqrt(cast("int", module.in_features)))  # as a tensor, a number is looked at sooner

    def forward(x: Tensor) -> Tensor:
        return inner.forward(torch.mul(x, factor, out=scaled))

    def backward(gradient: Tensor) -> Tensor:
        gradient = inner.backward(gradient)
        return gradient.mul_(factor) if wanted else gradient

    return Pair(forward, backward, spare=True)


def scale(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of Scale: a product with one row."""
    weight = cast("Tensor", module.weight)
    if x.dim() != 2:
        return by_autograd(module, x, wanted)
    return product(weight.detach(), gradient_of(weight).view(1, -1), ROWS, x, wanted=wanted)


def product(factors: Tensor, into: Tensor, rows: tuple[int], x: Tensor, *, wanted: bool) -> Pair:
    """Return the pair of a product with factors that rows have in common; their gradient goes into `into`."""
    made, each = x.new_empty(x.shape), x.new_empty(x.shape)
    given = x

    def forward(x: Tensor) -> Tensor:
        nonlocal given
        given = x
        return torch.mul(x, factors, out=made)

    def backward(gradient: Tensor) -> Tensor:
        torch.sum(torch.mul(gradient, given, out=each), rows, True, out=into)
        return gradient.mul_(factors) if wanted else gradient

    return Pair(forward, backward, spare=True)
