"""The training rows of an epoch in steps, and the sum of their losses.

Shapes: B batch, F features.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch
from torch import Tensor

from ffspec.limits import gathers_by_step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ffspec.runner.evaluation import Batch
    from ffspec.spec.training import Training

Rows: TypeAlias = tuple[Tensor, Tensor, Tensor | None]
"""Features, targets and weights of the rows of a step."""

KEPT_STEPS = 10_000
"""Up to so many, the views of the place rows are gathered in are kept from epoch to epoch."""


class Epochs(Protocol):
    """Gives out the rows of one epoch after the other."""

    shuffled: bool
    """Whether an order is drawn for every epoch."""

    def epoch(self, taken: int = 0) -> Iterable[Rows]:
        """Return the rows of every step but of those that have been taken."""


def batches_of(train: Batch, settings: Training, order: torch.Generator) -> Epochs:
    """Return what gives out the training rows; `order` is the stream their order is drawn from."""
    return Batches(train, settings, order) if train.whole is None else train.whole.batches(settings, order)


def size_of(train: Batch, settings: Training) -> Rows:
    """Return rows of the size that most steps have, all zero."""
    size = train.total if settings.batch_size == "all" else min(int(settings.batch_size), train.total)
    tensors = [
        None if tensor is None else tensor.new_zeros(size, *tensor.shape[1:])
        for tensor in (train.x, train.target, train.weight)
    ]
    return tensors[0], tensors[1], tensors[2]  # type: ignore[return-value]


class Batches:
    """Gives out the rows, shuffled ones gathered for all steps of an epoch or for one step at a time."""

    def __init__(self, train: Batch, settings: Training, order: torch.Generator) -> None:
        self._train, self._order = train, order
        self._size = train.rows if settings.batch_size == "all" else min(int(settings.batch_size), train.rows)
        self._end = train.rows
        if settings.drop_last and settings.batch_size != "all":
            self._end -= train.rows % self._size if self._size else 0
        # With one step an epoch the order changes nothing but rounding.
        self.shuffled = settings.shuffle and self._size < train.rows
        self._by_step = gathers_by_step(train.rows, train.x[:1].numel() * train.x.element_size())
        self._place: Rows | None = None
        self._views: list[Rows] = []

    def epoch(self, taken: int = 0) -> Iterable[Rows]:
        """Return the rows of every step, in a new order if they are shuffled.

        They hold until the next call, and those that are gathered step by step until the next step.

        Args:
            taken: Steps of the epoch that are left out.
        """
        if not self.shuffled:
            rows: Iterable[Rows] = self._split(self._train.x, self._train.target, self._train.weight)
        else:
            chosen = torch.randperm(self._train.rows, generator=self._order).to(self._train.x.device)
            if self._by_step:
                return self._steps(chosen[taken * self._size : self._end])
            rows = self._split(*self._gathered(chosen))
        return islice(rows, taken, None) if taken else rows

    def _steps(self, chosen: Tensor) -> Iterator[Rows]:
        return (self._gathered(chosen[start : start + self._size]) for start in range(0, len(chosen), self._size))

    def _gathered(self, chosen: Tensor) -> Rows:
        """Return rows in a place that is used again; fewer of them than before in a part of it."""
        train, found = self._train, self._place
        if found is None or len(found[0]) < len(chosen):
            weight = None if train.weight is None else train.weight.index_select(0, chosen)
            found = self._place = train.x.index_select(0, chosen), train.target.index_select(0, chosen), weight
            return found
        x, target, weight = found if len(chosen) == len(found[0]) else _begun(found, len(chosen))
        torch.index_select(train.x, 0, chosen, out=x)
        torch.index_select(train.target, 0, chosen, out=target)
        if train.weight is not None and weight is not None:
            torch.index_select(train.weight, 0, chosen, out=weight)
        return x, target, weight

    def _split(self, x: Tensor, target: Tensor, weight: Tensor | None) -> Iterable[Rows]:
        if self._views:
            return self._views
        parts = (slice(start, min(start + self._size, self._end)) for start in range(0, self._end, self._size or 1))
        views = ((x[part], target[part], None if weight is None else weight[part]) for part in parts)
        if self._end <= self._size * KEPT_STEPS:
            self._views = [*views]
            return self._views
        return views


def _begun(rows: Rows, count: int) -> Rows:
    """Return the first of some rows."""
    x, target, weight = rows
    return x[:count], target[:count], None if weight is None else weight[:count]


class Sum:
    """The sum of an epoch's losses, each times the rows it is the mean of."""

    def __init__(self, total: Tensor, losses: torch.dtype) -> None:
        """Go on with a sum.

        Args:
            total: The sum so far, (), which is kept up to date.
            losses: The type of the losses. Where a product of theirs is exact in float64, as that of float32 is,
                Python adds to the same bits as PyTorch, and much faster.
        """
        self._total = total
        self._exact = total.device.type == "cpu" and losses == torch.float32
        self._memory = total.numpy() if self._exact else None
        self._value = float(total)

    @property
    def total(self) -> float:
        """The sum."""
        return self._value if self._exact else float(self._total)

    def begin(self) -> None:
        """Start from zero."""
        self._total.zero_()
        self._value = 0.0

    def add(self, loss: Tensor, counted: float) -> None:
        """Add the loss of so many rows."""
        if self._memory is None:
            self._total.add_(loss, alpha=counted)
        else:
            self._value += loss.item() * counted
            self._memory[()] = self._value
