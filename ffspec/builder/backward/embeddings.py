"""Columns of numbers as pieces of a line, and of codes as vectors.

Shapes: M members, B batch, F features, K columns of numbers, W bins, E numbers of an embedding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ffspec.builder.backward.pair import Pair, by_autograd, gradient_of
from ffspec.builder.embeddings import joined, picked


def piecewise_linear(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of PiecewiseLinear in front of all that learns; its members, if there are any, share the rows."""
    layer: Any = module
    apart = layer.members is not None
    if wanted or x.dim() != 2 + apart or (apart and x.stride(0) != 0):
        return by_autograd(module, x, wanted)
    pieces = _Pieces(layer)
    return Pair(pieces.forward, pieces.backward)


class _Pieces:
    """Both directions: what autograd makes of the layer's parts.

    How far numbers reach through bins is computed once for all members, whose rows are the same; the rest is the
    product of stacks of matrices that einsum makes of it, and one of those of BmmBackward0.
    """

    def __init__(self, layer: Any) -> None:
        self._layer, self._members = layer, layer.members
        self._rows = (0 if self._members is None else 1,)
        self._weight = layer.weight.detach().flatten(0, -3)
        self._weight_into = gradient_of(layer.weight).view(self._weight.shape)
        self._bias, self._bias_into = (self._along(one) for one in (layer.bias.detach(), gradient_of(layer.bias)))
        self._direct = None if layer.direct is None else self._along(layer.direct.detach())
        self._direct_into = None if layer.direct is None else self._along(gradient_of(layer.direct))
        self._number = self._columns = self._made = self._weight  # until the first batch comes

    def _along(self, of_columns: Tensor) -> Tensor:
        """Return numbers of columns as they meet rows, (1, K, E) or (M, 1, K, E)."""
        return of_columns.unsqueeze(self._rows[0])

    def forward(self, x: Tensor) -> Tensor:
        """Return the embeddings, and the other columns as they are."""
        layer = self._layer
        self._number = number = picked(x if self._members is None else x[0], layer.numbers).unsqueeze(-1)
        reach = number.sub(layer.left).mul_(layer.slope)
        reach = torch.maximum(torch.minimum(reach, layer.high, out=reach), layer.low, out=reach)
        made = self._mixed(reach.transpose(0, 1)).add_(self._bias)
        if self._direct is not None:
            made.add_(number * self._direct)
        self._made = made.relu_() if layer.activation else made
        return joined(made, x, layer.others)

    def _mixed(self, columns: Tensor) -> Tensor:
        """Return a linear of each column's bins, (K, B, W) to (B, K, E), or to (M, B, K, E)."""
        if self._members is None:
            self._columns = columns
            return torch.bmm(columns, self._weight).transpose(0, 1)
        self._columns = columns.expand(self._members, *columns.shape).reshape(-1, *columns.shape[1:])
        made = torch.bmm(self._columns, self._weight)
        return made.view(self._members, -1, *made.shape[1:]).transpose(1, 2)

    def backward(self, gradient: Tensor) -> Tensor:
        """Fill in the gradients; nothing in front wants one."""
        shape = self._bias.shape[-2:]
        own = gradient[..., : shape.numel()]
        own = own.view(*own.shape[:-1], *shape)
        if self._layer.activation:
            own = torch.ops.aten.threshold_backward.default(own, self._made, 0)
        torch.sum(own, self._rows, True, out=self._bias_into)
        if self._direct_into is not None:
            torch.sum(own * self._number, self._rows, True, out=self._direct_into)
        columns = own.transpose(-3, -2)
        columns = columns if self._members is None else columns.reshape(-1, *columns.shape[2:])
        torch.bmm(self._columns.transpose(1, 2), columns, out=self._weight_into)
        return gradient


def embedding(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of Embedding in front of all that learns: of each table those of nn.Embedding."""
    layer: Any = module
    if wanted or x.dim() != 2 + (layer.members is not None):
        return by_autograd(module, x, wanted)
    tables = [rows * width for rows, width in layer.shapes]
    weights, into = (one.split(tables, dim=-1) for one in (layer.weight.detach(), gradient_of(layer.weight)))
    members = 1 if layer.members is None else layer.members
    first = None if layer.members is None else torch.arange(members, device=x.device).unsqueeze(1)
    seen: list[Tensor] = []

    def forward(x: Tensor) -> Tensor:
        seen.clear()
        found = []
        for column, weight, (rows, width) in zip(layer.codes, weights, layer.shapes, strict=True):
            code = x[..., column].long()
            seen.append(code if first is None else code + rows * first)  # a member's table behind the other's
            found.append(nn.functional.embedding(seen[-1], weight.reshape(-1, width)))
        return torch.cat(found if layer.others is None else [*found, x.index_select(-1, layer.others)], dim=-1)

    def backward(gradient: Tensor) -> Tensor:
        start = 0
        for code, place, (rows, width) in zip(seen, into, layer.shapes, strict=True):
            own = gradient[..., start : start + width]
            found = torch.ops.aten.embedding_dense_backward.default(own, code, members * rows, -1, False)
            place.copy_(found.view(place.shape))
            start += width
        return gradient

    return Pair(forward, backward)
