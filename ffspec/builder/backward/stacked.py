"""What has weights of its own for every member, all members at once.

Shapes: M members, B batch, F features, O outputs.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ffspec.builder.backward.linear import of_scaled, product
from ffspec.builder.backward.pair import Pair, gradient_of

ROWS = (1,)
"""The axis of rows, behind that of members."""


def linear(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of StackedLinear: baddbmm, and the products of BaddbmmBackward0."""
    weight, bias = cast("Tensor", module.weight), cast("Tensor | None", module.bias)
    made = x.new_empty(*x.shape[:2], weight.shape[1])
    above = x.new_empty(x.shape) if wanted else None
    matrix, into = weight.detach(), gradient_of(weight)
    turned, found = matrix.transpose(1, 2), torch.empty_like(matrix.transpose(1, 2).contiguous())
    back = found.transpose(1, 2)
    given = x
    shift = None if bias is None else bias.detach().unsqueeze(1)
    row = None if bias is None else gradient_of(bias).unsqueeze(1)

    def forward(x: Tensor) -> Tensor:
        nonlocal given
        given = x
        if shift is None:
            return torch.bmm(x, turned, out=made)
        return torch.baddbmm(shift, x, turned, out=made)

    def backward(gradient: Tensor) -> Tensor:
        if row is not None:
            torch.sum(gradient, ROWS, True, out=row)
        torch.bmm(given.transpose(1, 2), gradient, out=found)
        into.copy_(back)
        return gradient if above is None else torch.bmm(gradient, matrix, out=above)

    return Pair(forward, backward, spare=True)


def ntk_linear(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of StackedNTKLinear: a linear of scaled inputs."""
    return of_scaled(linear, module, x, wanted=wanted)


def scale(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of StackedScale: a product with one row for each member."""
    weight = cast("Tensor", module.weight)
    return product(weight.detach().unsqueeze(1), gradient_of(weight).unsqueeze(1), ROWS, x, wanted=wanted)
