"""The training loop: tensors in, history out.

Shapes: B batch, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from ffspec.diagnostics import DivergedError
from ffspec.runner.evaluation import measure_splits
from ffspec.runner.expectations import larger_is_better

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch.optim import Optimizer

    from ffspec.builder.scheduler import Schedule
    from ffspec.runner.evaluation import Batch, Judge
    from ffspec.runner.watching import Watch
    from ffspec.spec.training import EarlyStopping, Training

Row = dict[str, Any]
"""One epoch of the history: epoch, lr, loss (the mean over its rows, in train mode), and the measures after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer:
    """All that a training needs; `run` does it."""

    network: nn.Sequential
    judge: Judge
    optimizers: Sequence[Optimizer]
    schedule: Schedule
    settings: Training
    splits: Mapping[str, Batch]
    order: torch.Generator
    """The stream the row order is drawn from."""
    watched: tuple[str, ...] = ()
    """The splits that are evaluated after every epoch."""
    watch: Watch | None = None
    """Looks at some of the steps."""

    def run(self, observe: Callable[[Row], None]) -> list[Row]:
        """Train in place; the best weights are restored where early stopping is asked for.

        Args:
            observe: Called with each row of the history as it is made.

        Raises:
            DivergedError: A loss, a learning rate or an output was not finite.
        """
        history: list[Row] = []
        patience = (
            None if self.settings.early_stopping is None else _Patience(self.settings.early_stopping, self.network)
        )
        self.network.train()
        for epoch in range(1, self.settings.epochs + 1):
            if self.watch is not None:
                self.watch.before_epoch(epoch)
            row: Row = {"epoch": epoch, "lr": self._lr(), "loss": self._epoch()}
            if not isfinite(row["loss"]) or not isfinite(row["lr"]):
                message = f"the training loss is {row['loss']} in epoch {epoch}, with learning rate {row['lr']:g}"
                raise DivergedError(message)
            watched = {name: self.splits[name] for name in self.watched}
            for name, measures in measure_splits(self.network, watched, self.judge).items():
                row |= {f"{name}.{key}": value for key, value in measures.items()}
            self.schedule.after_epoch(partial(self._monitored, row))
            history.append(row)
            observe(row)
            if patience is not None and patience.exhausted(row):
                break
        if patience is not None:
            patience.restore()
        return history

    def _epoch(self) -> float:
        """Take every step of one epoch and return the mean loss of its rows."""
        train = self.splits["train"]
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        # In float64, so that adding rounds nothing away; MPS has none.
        wide = torch.float32 if train.x.device.type == "mps" else torch.float64
        total, rows = torch.zeros((), dtype=wide, device=train.x.device), 0
        for x_BF, target in self._batches(train):
            # Nothing here waits for a value.
            total.add_(self._step(x_BF, target, parameters).detach(), alpha=len(x_BF))
            if not rows and self.watch is not None:
                self.watch.after_step()
            rows += len(x_BF)
        return float(total) / max(rows, 1)

    def _batches(self, train: Batch) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the rows of an epoch in steps: one gather for all of them, then views of it."""
        size = train.rows if self.settings.batch_size == "all" else min(int(self.settings.batch_size), train.rows)
        x_BF, target = train.x, train.target
        # With one step an epoch the order changes nothing but rounding.
        if self.settings.shuffle and size < train.rows:
            order = torch.randperm(train.rows, generator=self.order).to(x_BF.device)
            x_BF, target = x_BF[order], target[order]
        for start in range(0, train.rows, size):
            if self.settings.drop_last and start + size > train.rows and self.settings.batch_size != "all":
                return
            yield x_BF[start : start + size], target[start : start + size]

    def _step(self, x_BF: Tensor, target: Tensor, parameters: list[nn.Parameter]) -> Tensor:
        first: list[Tensor] = []

        def closure() -> Tensor:
            for parameter in parameters:
                parameter.grad = None
            with self.judge.autocast():
                loss: Tensor = self.judge.loss(self.network(x_BF), target)
            loss.backward()  # type: ignore[no-untyped-call]
            self._clip(parameters)
            first.append(loss)
            return loss

        if isinstance(self.optimizers[0], torch.optim.LBFGS):
            cast("Optimizer", self.optimizers[0]).step(closure)  # type: ignore[arg-type]
        else:
            closure()
            for optimizer in self.optimizers:
                optimizer.step()
        self.schedule.after_step()
        return first[0]

    def _clip(self, parameters: list[nn.Parameter]) -> None:
        if self.settings.clip_grad_value is not None:
            nn.utils.clip_grad_value_(parameters, self.settings.clip_grad_value)
        if self.settings.clip_grad_norm is not None:
            nn.utils.clip_grad_norm_(parameters, self.settings.clip_grad_norm)

    def _lr(self) -> float:
        return float(self.optimizers[0].param_groups[0]["lr"])

    def _monitored(self, row: Row, name: str) -> float:
        """Return what a plateau is looked for in: by default the validation loss, or else the training loss."""
        return _value(row, name or ("validation.loss" if "validation" in self.splits else "loss"))


def _value(row: Row, measure: str) -> float:
    """Return a measure of an epoch; NaN, which is better than nothing, where it is undefined."""
    return float(row.get(measure, nan))


class _Patience:
    """Early stopping: remembers the best epoch's weights, and how long ago it was (Prechelt 1998)."""

    def __init__(self, settings: EarlyStopping, network: nn.Module) -> None:
        self._settings = settings
        self._network = network
        self._sign = -1 if larger_is_better(settings.monitor) else 1
        self._best = float("inf")
        self._waited = 0
        self._state = self._snapshot()

    def exhausted(self, row: Row) -> bool:
        """Take note of an epoch, and say whether it was one too many without improvement."""
        value = self._sign * _value(row, self._settings.monitor)
        if value < self._best - self._settings.min_delta:
            self._best, self._waited, self._state = value, 0, self._snapshot()
            return False
        self._waited += 1
        return self._waited > self._settings.patience

    def restore(self) -> None:
        """Go back to the best epoch's weights and buffers."""
        self._network.load_state_dict(self._state)

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self._network.state_dict().items()}
