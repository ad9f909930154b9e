# mypy: disable-error-code="import-not-found, import-untyped"
# mypy: allow-subclassing-any
"""Lightning in the comparison: `ModelCheckpoint`, and `fit(ckpt_path=...)`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from tests.bench.peers.common import (
    BATCH,
    CLASSES,
    DROPOUT,
    EPOCHS,
    FEATURES,
    HIDDEN,
    LR,
    SEED,
    WILD,
    Array,
    Peer,
    data,
    main,
)


class Net(lightning.LightningModule):
    """The network."""

    def __init__(self, hidden: int, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.layers = nn.Sequential(
            nn.Linear(FEATURES, hidden), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(hidden, CLASSES)
        )

    def training_step(self, batch: list[Tensor]) -> Tensor:
        """Return the loss of a step."""
        return nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        kind = torch.optim.SGD if self.lr == WILD else torch.optim.Adam
        return kind(self.parameters(), lr=self.lr)


class Lightning(Peer):
    """Its `Trainer`."""

    def train(self, folder: Path, *, epochs: int, lr: float = LR, hidden: int = HIDDEN, often: bool = False) -> Any:
        """Fit, from the last checkpoint if there is one."""
        warnings.simplefilter("ignore")  # of workers and of a folder that is not empty
        lightning.seed_everything(SEED, verbose=False)
        x, y = (torch.from_numpy(array) for array in data())
        loader = DataLoader(TensorDataset(x, y), batch_size=BATCH, shuffle=True)
        keep = ModelCheckpoint(dirpath=folder, save_last=True, every_n_train_steps=1 if often else None)
        trainer = lightning.Trainer(
            max_epochs=epochs, accelerator="cpu", callbacks=[keep], logger=False, enable_progress_bar=False
        )
        model, last = Net(hidden, lr), folder / "last.ckpt"
        trainer.fit(model, loader, ckpt_path=last if last.exists() else None)
        return model

    def weights(self, model: Any) -> list[Array]:
        """Return the weights of the module."""
        return [tensor.numpy() for tensor in model.state_dict().values()]

    def read(self, folder: Path, hidden: int) -> Any:
        """Resume for no more epochs than there were, and return weights and the optimizer's state."""
        model = self.train(folder, epochs=1 if hidden != HIDDEN else EPOCHS // 2, hidden=hidden)
        return model.state_dict(), model.optimizers().state_dict()

    def files(self, folder: Path) -> list[Path]:
        """Return the file that is resumed from."""
        return [folder / "last.ckpt"]


if __name__ == "__main__":
    main(Lightning)
