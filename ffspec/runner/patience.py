"""Early stopping: when to stop, and which weights to go back to."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

from ffspec.spec.metrics import larger_is_better

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from ffspec.spec.training import EarlyStopping


def best_epoch(history: Sequence[Mapping[str, Any]], settings: EarlyStopping) -> int:
    """Return the epoch whose weights early stopping goes back to; 0 for those before the first."""
    sign = -1 if larger_is_better(settings.monitor) else 1
    best, least = 0, float("inf")
    for row in history:
        value = sign * float(row.get(settings.monitor, nan))
        if value < least - settings.min_delta:
            best, least = row["epoch"], value
    return best


class Patience:
    """Early stopping: remembers the best epoch's weights, and how long ago it was (Prechelt 1998)."""

    def __init__(self, settings: EarlyStopping, network: nn.Module) -> None:
        self._settings = settings
        self._network = network
        self._sign = -1 if larger_is_better(settings.monitor) else 1
        self._best = float("inf")
        self._waited = 0
        self._state = self._snapshot()

    def exhausted(self, row: Mapping[str, Any]) -> bool:
        """Take note of an epoch, and say whether it was one too many without improvement."""
        value = self._sign * float(row.get(self._settings.monitor, nan))
        if value < self._best - self._settings.min_delta:
            self._best, self._waited, self._state = value, 0, self._snapshot()
            return False
        self._waited += 1
        return self._waited > self._settings.patience

    def restore(self) -> None:
        """Go back to the best epoch's weights and buffers."""
        self._network.load_state_dict(self._state)

    def state(self) -> dict[str, Any]:
        """Return what it remembers."""
        return {"best": self._best, "waited": self._waited, "weights": self._state}

    def load(self, state: Mapping[str, Any]) -> None:
        """Remember what another one did."""
        self._best, self._waited, self._state = state["best"], state["waited"], dict(state["weights"])

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self._network.state_dict().items()}
