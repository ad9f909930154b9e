"""Early stopping: when to stop, and which weights to go back to."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

from ffspec.spec.metrics import larger_is_better

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from ffspec.spec.training import EarlyStopping


class Waiting:
    """Counts the epochs since the best one."""

    def __init__(self, settings: EarlyStopping) -> None:
        self._settings = settings
        self._sign = -1 if larger_is_better(settings.monitor) else 1
        self.best = float("inf")
        self.waited = 0

    def improved(self, row: Mapping[str, Any]) -> bool:
        """Take note of an epoch, and say whether it is the best so far."""
        value = self._sign * float(row.get(self._settings.monitor, nan))
        if value < self.best - self._settings.min_delta:
            self.best, self.waited = value, 0
            return True
        self.waited += 1
        return False

    @property
    def exhausted(self) -> bool:
        """Whether there was one epoch too many without improvement."""
        return self.waited > self._settings.patience


def best_epoch(history: Sequence[Mapping[str, Any]], settings: EarlyStopping) -> int:
    """Return the epoch whose weights early stopping goes back to; 0 for those before the first."""
    waiting, best = Waiting(settings), 0
    for row in history:
        if waiting.improved(row):
            best = row["epoch"]
    return best


class Patience:
    """Early stopping: remembers the best epoch's weights, and how long ago it was (Prechelt 1998)."""

    def __init__(self, settings: EarlyStopping, network: nn.Module) -> None:
        self._waiting = Waiting(settings)
        self._network = network
        self._state = self._snapshot()

    def exhausted(self, row: Mapping[str, Any]) -> bool:
        """Take note of an epoch, and say whether it was one too many without improvement."""
        if self._waiting.improved(row):
            self._state = self._snapshot()
        return self._waiting.exhausted

    def restore(self) -> None:
        """Go back to the best epoch's weights and buffers."""
        self._network.load_state_dict(self._state)

    def state(self) -> dict[str, Any]:
        """Return what it remembers."""
        return {"best": self._waiting.best, "waited": self._waiting.waited, "weights": self._state}

    def load(self, state: Mapping[str, Any]) -> None:
        """Remember what another one did."""
        self._waiting.best, self._waiting.waited = state["best"], state["waited"]
        self._state = dict(state["weights"])

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self._network.state_dict().items()}
