"""The parameters of many networks in one flat tensor: a block for each parameter, in it one member after another.

A block is contiguous, so that a product of stacks of matrices takes it as it is; and the whole is one tensor, so that a
step of the optimizer is one operation.

Shapes: M members, P parameters of a member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Blocks:
    """Where each parameter of each member stands.

    Args:
        shapes: The shape of each parameter of one member, by name.
        members: How many members there are.
    """

    def __init__(self, shapes: Mapping[str, Sequence[int]], members: int) -> None:
        self.members = members
        self.kinds = 1
        """How many groups of parameters each member has."""
        self._kind: dict[str, int] = {}
        self._shapes = {name: tuple(shape) for name, shape in shapes.items()}

    def empty(self, dtype: torch.dtype) -> Tensor:
        """Return a new flat tensor, (M * P,), of zeros."""
        sizes = (torch.Size(shape).numel() for shape in self._shapes.values())
        return torch.zeros(self.members * sum(sizes), dtype=dtype)

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Return each parameter of a flat tensor, (M, ...), by name."""
        found, start = {}, 0
        for name, shape in self._shapes.items():
            stop = start + self.members * torch.Size(shape).numel()
            found[name] = flat[start:stop].view(self.members, *shape)
            start = stop
        return found

    def spread(self, values: Sequence[float], like: Tensor) -> Tensor:
        """Return a flat tensor that holds a number of each member wherever one of its parameters stands."""
        column, flat = torch.tensor(values, dtype=like.dtype), torch.empty_like(like)
        for view in self.views(flat).values():
            view.copy_(column.view(-1, *[1] * (view.dim() - 1)))
        return flat

    def divide(self, kinds: Sequence[int]) -> None:
        """Say in which group of a member's each parameter is."""
        self._kind = dict(zip(self._shapes, kinds, strict=True))
        self.kinds = max(kinds, default=0) + 1

    def of_groups(self, values: Sequence[float], like: Tensor) -> Tensor:
        """Return a flat tensor that holds a number of each group wherever one of its parameters stands.

        Args:
            values: Those of the first group of each member, or one for all of them, then those of the others.
            like: What it is shaped as.
        """
        columns, flat = torch.tensor(values, dtype=like.dtype).view(self.kinds, -1), torch.empty_like(like)
        for name, view in self.views(flat).items():
            view.copy_(columns[self._kind.get(name, 0)].view(-1, *[1] * (view.dim() - 1)))
        return flat

    def norms(self, flat: Tensor) -> Tensor:
        """Return the Euclidean norm of all that belongs to each member, (M,)."""
        parts = [torch.linalg.vector_norm(view.flatten(1), dim=1) for view in self.views(flat).values()]
        norms: Tensor = torch.linalg.vector_norm(torch.stack(parts), dim=0)
        return norms

    def scale(self, flat: Tensor, factors: Tensor) -> None:
        """Multiply all that belongs to each member with its factor, (M,), in place."""
        for view in self.views(flat).values():
            view.mul_(factors.view(-1, *[1] * (view.dim() - 1)))

    def taken(self, flat: Tensor, members: Tensor) -> Tensor:
        """Return a flat tensor of fewer members, by their places."""
        return torch.cat([view.index_select(0, members).flatten() for view in self.views(flat).values()])
