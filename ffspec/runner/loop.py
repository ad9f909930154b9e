"""The training loop: tensors in, history out.

Shapes: B batch, F features.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from ffspec.diagnostics import DivergedError
from ffspec.planner import steps_in
from ffspec.runner.batches import Sum, batches_of, size_of
from ffspec.runner.evaluation import measure_splits
from ffspec.runner.stepping import stepper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import nn
    from torch.optim import Optimizer

    from ffspec.builder.fading import Fading
    from ffspec.builder.scheduler import Schedule
    from ffspec.runner.averaging import Average
    from ffspec.runner.batches import Epochs
    from ffspec.runner.evaluation import Batch, Judge
    from ffspec.runner.patience import Patience
    from ffspec.runner.stepping import Step
    from ffspec.runner.watching import Watch
    from ffspec.spec.training import Training

Row = dict[str, Any]
"""One epoch of the history: epoch, lr, loss (the mean over its rows, in train mode), and the measures after it."""


@dataclass(slots=True, kw_only=True)
class Cursor:
    """How far a training has come: everything that changes, beside the network, the optimizers and the streams."""

    epoch: int = 1
    position: int = 0
    """The steps taken in this epoch."""
    ended: bool = False
    """Whether early stopping has ended the training."""
    lr: float = 0.0
    """The learning rate this epoch began with."""
    total: Tensor | None = None
    """The sum of the losses of this epoch's rows so far."""
    rows: float = 0
    """How many there were, or what they weigh."""
    order: Tensor | None = None
    """The state of the stream of row orders when this epoch began."""
    history: list[Row] = field(default_factory=list)


class Keeper(Protocol):
    """Told of every step and epoch; may keep the state of the training, or end it by an exception."""

    def after_step(self, trainer: Trainer) -> None:
        """A step has been taken."""

    def after_epoch(self, trainer: Trainer) -> None:
        """An epoch is in the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer:
    """All that a training needs; `run` does it."""

    network: nn.Sequential
    judge: Judge
    optimizers: Sequence[Optimizer]
    schedule: Schedule
    settings: Training
    epochs: int
    """Passes over the training split, at most."""
    splits: Mapping[str, Batch]
    order: torch.Generator
    """The stream the row order is drawn from."""
    patience: Patience | None = None
    fading: Fading | None = None
    """Changes weight decay and dropout."""
    average: Average | None = None
    """What is evaluated in place of the network."""
    watched: tuple[str, ...] = ()
    """The splits that are evaluated after every epoch."""
    watch: Watch | None = None
    """Looks at some of the steps."""
    keeper: Keeper | None = None
    written: bool = False
    """Whether the gradients are computed without autograd: the same bits, but no module is called while training."""
    compiled: bool = False
    """Whether they are compiled, for steps of as many rows as most have."""
    cursor: Cursor = field(default_factory=Cursor)

    def run(self, observe: Callable[[Row], None]) -> list[Row]:
        """Train in place, from where the cursor stands; the best weights are restored at the end if that is asked for.

        Args:
            observe: Called with each row of the history as it is made.

        Raises:
            DivergedError: A loss, a learning rate or an output was not finite.
            CompilerError: What is to be compiled cannot be.
        """
        for _ in self.passes(observe):
            pass
        return self.cursor.history

    def passes(self, observe: Callable[[Row], None]) -> Iterator[None]:
        """Train as `run` does, and yield after every epoch, so that a training may wait there, or be ended.

        Raises:
            DivergedError: As for `run`.
        """
        cursor = self.cursor
        evaluated = self.network if self.average is None else self.average.network
        self.network.train()
        left = not cursor.ended and cursor.epoch <= self.epochs
        rows = size_of(self.splits["train"], self.settings) if self.compiled and left else None
        step = stepper(self.network, self.judge, self.optimizers, self.settings, written=self.written, compiled=rows)
        batches = batches_of(self.splits["train"], self.settings, self.order)
        losses = self._sum()
        watched = {name: self.splits[name] for name in self.watched}
        while not cursor.ended and cursor.epoch <= self.epochs:
            loss = self._epoch(step, batches, losses) * self.judge.unit
            row: Row = {"epoch": cursor.epoch, "lr": cursor.lr, "loss": loss}
            refuse_wild(row)
            for name, measures in (measure_splits(evaluated, watched, self.judge) if watched else {}).items():
                row |= {f"{name}.{key}": value for key, value in measures.items()}
            self.schedule.after_epoch(partial(monitored, row))
            cursor.history.append(row)
            observe(row)
            cursor.ended = self.patience is not None and self.patience.exhausted(row)
            cursor.epoch, cursor.position = cursor.epoch + 1, 0
            if self.keeper is not None:
                self.keeper.after_epoch(self)
            yield
        if self.patience is not None:
            self.patience.restore()
        if self.average is not None:
            self.network.load_state_dict(evaluated.state_dict())
        if self.fading is not None:
            self.fading.end()

    def _sum(self) -> Sum:
        """Return what the losses of an epoch are added in: the sum so far, where the training goes on within one."""
        cursor, train = self.cursor, self.splits["train"]
        if cursor.total is None:
            # In float64, so that adding rounds nothing away; MPS has none.
            wide = torch.float32 if train.x.device.type == "mps" else torch.float64
            cursor.total = torch.zeros((), dtype=wide, device=train.x.device)
        return Sum(cursor.total, train.x.dtype)

    def _begin_epoch(self, batches: Epochs, losses: Sum) -> None:
        """Set the cursor to the first row of an epoch."""
        cursor = self.cursor
        losses.begin()
        cursor.rows, cursor.lr = 0, self._lr()
        if batches.shuffled or cursor.order is None:
            cursor.order = self.order.get_state()
        if self.watch is not None:
            self.watch.before_epoch(cursor.epoch)

    def _epoch(self, step: Step, batches: Epochs, losses: Sum) -> float:
        """Take every step of one epoch that is left, and return the mean loss of its rows."""
        cursor = self.cursor
        if cursor.position == 0 or cursor.order is None:
            self._begin_epoch(batches, losses)
        else:  # resumed: the same order is drawn again, and the steps taken are left out
            self.order.set_state(cursor.order)
        for x_BF, target, weight in batches.epoch(cursor.position):
            if self.fading is not None:
                self.fading.before_step(self._done())
            counted = x_BF.shape[0] if weight is None else float(weight.sum())
            try:
                losses.add(step(x_BF, target, weight), counted)
            except ZeroDivisionError as error:  # PyTorch's line search, where the loss is as good as flat
                message = f"the line search of lbfgs divided by zero in epoch {cursor.epoch}: the loss is flat"
                raise DivergedError(message) from error
            self.schedule.after_step()
            if self.average is not None:
                self.average.after_step()
            if not cursor.position and self.watch is not None:
                self.watch.after_step()
            cursor.rows += counted
            cursor.position += 1
            if self.keeper is not None:
                self.keeper.after_step(self)
        return losses.total / (cursor.rows or 1)

    def _done(self) -> int:
        """Return the steps taken so far; every epoch has as many."""
        train = self.splits["train"].total
        per_epoch = steps_in(train, self.settings.batch_size, drop_last=self.settings.drop_last)
        return (self.cursor.epoch - 1) * (per_epoch or 0) + self.cursor.position

    def _lr(self) -> float:
        """Return the learning rate of parameters without a factor of their own."""
        return lr_of(self.optimizers[0].param_groups)


def lr_of(groups: Sequence[Mapping[str, Any]]) -> float:
    """Return the learning rate of parameters without a factor of their own, from the groups of an optimizer."""
    if len(groups) == 1 and "factor" not in groups[0]:
        return float(groups[0]["lr"])
    rates = [(group["lr"], group.get("factor", 1.0)) for group in groups]
    rates.sort(key=lambda rate: (rate[1] != 1, rate[1] == 0))
    lr, factor = rates[0]
    return float(lr / factor) if factor else 0.0


def refuse_wild(row: Row) -> None:
    """Raise where an epoch's loss is not finite.

    Raises:
        DivergedError: It is not, or the learning rate was not.
    """
    if not isfinite(row["loss"]) or not isfinite(row["lr"]):
        message = f"the training loss is {row['loss']} in epoch {row['epoch']}, with learning rate {row['lr']:g}"
        raise DivergedError(message)


def monitored(row: Row, name: str) -> float:
    """Return what a plateau is looked for in: by default the validation loss, or else the training loss."""
    return _value(row, name or ("validation.loss" if "validation.loss" in row else "loss"))


def _value(row: Row, measure: str) -> float:
    """Return a measure of an epoch; NaN, which is better than nothing, where it is undefined."""
    return float(row.get(measure, nan))
