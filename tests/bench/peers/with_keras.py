# mypy: disable-error-code="import-not-found, import-untyped"
"""Keras, on PyTorch, in the comparison: the callback `BackupAndRestore`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

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

os.environ["KERAS_BACKEND"] = "torch"


class Keras(Peer):
    """Its `Model.fit`."""

    def train(self, folder: Path, *, epochs: int, lr: float = LR, hidden: int = HIDDEN, often: bool = False) -> Any:
        """Fit, from the backup if there is one."""
        import keras

        keras.utils.set_random_seed(SEED)
        model = keras.Sequential(
            [
                keras.Input((FEATURES,)),
                keras.layers.Dense(hidden, activation="relu"),
                keras.layers.Dropout(DROPOUT),
                keras.layers.Dense(CLASSES),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.SGD(lr) if lr == WILD else keras.optimizers.Adam(lr), loss=loss)
        keep = keras.callbacks.BackupAndRestore(
            str(folder), save_freq=1 if often else "epoch", delete_checkpoint=False, double_checkpoint=True
        )
        x, y = data()
        model.fit(x, y, batch_size=BATCH, epochs=epochs, shuffle=True, verbose=0, callbacks=[keep])
        return model

    def weights(self, model: Any) -> list[Array]:
        """Return the weights of the model."""
        return list(model.get_weights())

    def read(self, folder: Path, hidden: int) -> Any:
        """Resume for no more epochs than there were, and return weights and the optimizer's state."""
        model = self.train(folder, epochs=1 if hidden != HIDDEN else EPOCHS // 2, hidden=hidden)
        return model.get_weights(), [variable.numpy() for variable in model.optimizer.variables]

    def files(self, folder: Path) -> list[Path]:
        """Return the files that are resumed from."""
        return [folder / "latest.weights.h5", folder / "training_metadata.json"]


if __name__ == "__main__":
    main(Keras)
