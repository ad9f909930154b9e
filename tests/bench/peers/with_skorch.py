# mypy: disable-error-code="import-not-found, import-untyped"
"""Skorch in the comparison: the callbacks `Checkpoint` and `LoadInitState`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import skorch
import torch
from skorch.callbacks import Checkpoint, LoadInitState
from torch import nn

from tests.bench.peers.common import BATCH, CLASSES, DROPOUT, FEATURES, HIDDEN, LR, SEED, WILD, Array, Peer, data, main


class Skorch(Peer):
    """Its `NeuralNetClassifier`."""

    def train(
        self,
        folder: Path,
        *,
        epochs: int,
        lr: float = LR,
        hidden: int = HIDDEN,
        often: bool = False,  # noqa: ARG002 - once an epoch is as often as can be
    ) -> Any:
        """Fit, from the checkpoint if there is one."""
        torch.manual_seed(SEED)
        net = self._net(folder, lr, hidden)
        x, y = data()
        # LoadInitState brings the history too; how many epochs are left is the caller's to count.
        done = len(skorch.history.History.from_file(folder / "history.json")) if _there(folder) else 0
        net.set_params(max_epochs=epochs - done)
        net.fit(x, y)
        return net

    def weights(self, model: Any) -> list[Array]:
        """Return the weights of the module."""
        return [tensor.numpy() for tensor in model.module_.state_dict().values()]

    def read(self, folder: Path, hidden: int) -> Any:
        """Load the checkpoint, and return weights, the optimizer's state and the history."""
        net = self._net(folder, LR, hidden).initialize()
        net.load_params(checkpoint=Checkpoint(dirname=folder, monitor=None))
        return net.module_.state_dict(), net.optimizer_.state_dict(), list(net.history)

    def _net(self, folder: Path, lr: float, hidden: int) -> Any:
        keep = Checkpoint(dirname=folder, monitor=None)
        return skorch.NeuralNetClassifier(
            nn.Sequential(nn.Linear(FEATURES, hidden), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(hidden, CLASSES)),
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.SGD if lr == WILD else torch.optim.Adam,
            lr=lr,
            batch_size=BATCH,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
            callbacks=[keep, *([LoadInitState(keep)] if _there(folder) else [])],
        )


def _there(folder: Path) -> bool:
    return (folder / "history.json").exists()


if __name__ == "__main__":
    main(Skorch)
