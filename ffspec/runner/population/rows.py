"""The rows of members, step after step, each in the order of its single run.

Shapes: M members, N training rows, B batch, F features, C target columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.runner.evaluation import Batch
    from ffspec.spec.training import Training


def stacked(batches: Sequence[Batch]) -> tuple[Tensor, Tensor]:
    """Return the features and targets of a split: of each member where they differ, else once.

    Returns:
        x of shape (F, N), or (M, F, N) where members have rows of their own; and the target, (1 or M, C, N), or of
        class numbers (1 or M, N).
    """
    chosen = batches[:1] if shared(batches) else batches
    x = torch.stack([batch.x for batch in chosen]).transpose(1, 2).contiguous()
    target = torch.stack([batch.target for batch in chosen])
    return x[0] if len(chosen) == 1 else x, target.transpose(1, 2).contiguous() if target.dim() == 3 else target


def weights_of(batches: Sequence[Batch]) -> Tensor | None:
    """Return how much each row of a split counts, (1 or M, N); None where all count the same."""
    found = [batch.weight for batch in (batches[:1] if shared(batches) else batches)]
    weights = [weight for weight in found if weight is not None]
    return torch.stack(weights) if weights else None


def shared(batches: Sequence[Batch]) -> bool:
    """Return whether all members have the same rows."""
    return all(batch is batches[0] for batch in batches)


def is_ordered(rows: int, settings: Training) -> bool:
    """Return whether rows come in a new order every epoch; in one step the order changes nothing but rounding."""
    return settings.shuffle and settings.batch_size != "all" and int(settings.batch_size) < rows


class Rows:
    """The training rows of members.

    Args:
        batches: The training split of each.
        settings: The loop.
        orders: The stream each draws the order of its rows from.
    """

    def __init__(self, batches: Sequence[Batch], settings: Training, orders: Sequence[torch.Generator]) -> None:
        self._orders = orders
        self.rows = batches[0].rows
        size = self.rows if settings.batch_size == "all" else min(int(settings.batch_size), self.rows)
        stop = self.rows // size * size if settings.drop_last and settings.batch_size != "all" else self.rows
        self._slices = [slice(start, min(start + size, self.rows)) for start in range(0, stop, size)]
        self._ordered = is_ordered(self.rows, settings)
        if not self._ordered:
            self._x, self._target = stacked(batches)
            self._weight = weights_of(batches)
            return
        chosen = batches[:1] if shared(batches) else batches
        self._x = torch.cat([batch.x for batch in chosen])
        self._target = torch.cat([batch.target for batch in chosen])
        known = weights_of(chosen)
        self._weight = None if known is None else known.flatten()
        self._starts = 0 if len(chosen) == 1 else torch.arange(len(batches)).unsqueeze(1) * self.rows

    def epoch(self) -> Iterator[tuple[Tensor, Tensor, Tensor | None, int]]:
        """Yield the rows of each step: x of shape (F, B) or (M, F, B), target and weights as above, and B."""
        weight = self._weight
        if not self._ordered:
            for chosen in self._slices:
                part = None if weight is None else weight[:, chosen]
                yield self._x[..., chosen], self._target[..., chosen], part, chosen.stop - chosen.start
            return
        orders = torch.stack([torch.randperm(self.rows, generator=order) for order in self._orders])
        orders += self._starts
        members = len(orders)
        for chosen in self._slices:
            places, size = orders[:, chosen].reshape(-1), chosen.stop - chosen.start
            x = self._x.index_select(0, places).view(members, size, -1).transpose(1, 2)
            target = self._target.index_select(0, places)
            target = target.view(members, size, *target.shape[1:]).transpose(1, -1)
            yield x, target, None if weight is None else weight[orders[:, chosen]], size
