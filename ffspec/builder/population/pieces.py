"""Numbers by how far they reach through bins, for many networks at once.

Shapes: M members, B batch, F features, K columns of numbers, W bins, E numbers of an embedding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ffspec.builder.embeddings import PiecewiseLinear


class Pieces:
    """`ffspec.builder.embeddings.PiecewiseLinear`, whose bins are each member's own.

    Args:
        module: One with the columns and the options.
        tensors: Its parameters and buffers with an axis of members in front: weight (M, K, W, E), bias and direct
            (M, K, E), left, slope, low and high (M, K, W).
        gradients: Where the gradients of the parameters are written, by their names.
    """

    def __init__(self, module: PiecewiseLinear, tensors: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> None:
        self._module, self._gradients = module, gradients
        members, columns, bins, width = tensors["weight"].shape
        self._shape = (members * columns, bins, width)
        self._weight = tensors["weight"].view(self._shape)
        self._bias = tensors["bias"].view(-1, width, 1)
        self._direct = tensors["direct"].view(-1, width, 1) if "direct" in tensors else None
        self._bins = [tensors[name].reshape(-1, bins, 1) for name in ("left", "slope", "low", "high")]
        self._x = self._number = self._encoded = self._reach = self._made = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        """Return the embeddings of the numbers, (M, K E + F - K, B), and the other columns as they are."""
        self._x = self._of_all(x)
        self._number = self._picked(self._x)
        self._reach, self._encoded = self._encode(self._number)
        self._made = self._embedded(self._number, self._encoded)
        return self._joined(self._made, self._x)

    def evaluate(self, x: Tensor) -> Tensor:
        """Return the same."""
        x = self._of_all(x)
        number = self._picked(x)
        return self._joined(self._embedded(number, self._encode(number)[1]), x)

    def backward(self, g: Tensor, *, wanted: bool) -> Tensor | None:
        """Return the gradient of the rows: of a number, that of the bin it is in."""
        places, _, width = self._shape
        members, columns = len(g), places // len(g)
        own = g[:, : columns * width].reshape(places, width, -1)
        if self._module.activation:
            own = own * (self._made > 0)
        torch.bmm(self._encoded, own.transpose(1, 2), out=self._gradients["weight"].view(self._shape))
        torch.sum(own, dim=2, out=self._gradients["bias"].view(places, width))
        if self._direct is not None:
            torch.sum(own * self._number, dim=2, out=self._gradients["direct"].view(places, width))
        if not wanted:
            return None
        _, slope, low, high = self._bins
        half = self._reach.new_tensor(0.5)  # on an edge, as autograd has it of a minimum and a maximum
        inside = torch.heaviside(self._reach - low, half) * torch.heaviside(high - self._reach, half)
        number = (torch.bmm(self._weight, own) * slope * inside).sum(dim=1)
        if self._direct is not None:
            number = number + (own * self._direct).sum(dim=1)
        number = number.view(members, columns, -1)
        if self._module.numbers is None:
            return number
        above = torch.zeros_like(self._x).index_copy_(1, self._module.numbers, number)
        if self._module.others is not None:
            above.index_copy_(1, self._module.others, g[:, columns * width :])
        return above

    def _of_all(self, x: Tensor) -> Tensor:
        columns = self._module.left.shape[-2]
        return x if x.dim() == 3 else x.expand(self._shape[0] // columns, -1, -1)

    def _picked(self, x: Tensor) -> Tensor:
        """Return the numbers, (M K, 1, B)."""
        numbers = self._module.numbers
        chosen = x if numbers is None else x.index_select(1, numbers)
        return chosen.reshape(self._shape[0], 1, -1)

    def _encode(self, number: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far the numbers reach through each bin, (M K, W, B), and the same within its bounds."""
        left, slope, low, high = self._bins
        reach = (number - left).mul_(slope)
        return reach, torch.maximum(torch.minimum(reach, high), low)

    def _embedded(self, number: Tensor, encoded: Tensor) -> Tensor:
        made = torch.baddbmm(self._bias, self._weight.transpose(1, 2), encoded)
        if self._direct is not None:
            made.addcmul_(self._direct, number)
        return made.relu_() if self._module.activation else made

    def _joined(self, embedded: Tensor, x: Tensor) -> Tensor:
        flat, others = embedded.view(len(x), -1, x.shape[2]), self._module.others
        return flat if others is None else torch.cat([flat, x.index_select(1, others)], dim=1)
