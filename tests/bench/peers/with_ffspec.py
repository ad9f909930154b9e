"""ffspec in the comparison: `ffspec run`, and `ffspec resume`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ffspec
from ffspec import rundir
from ffspec.cli import _exit_code
from tests.bench.peers.common import (
    BATCH,
    CLASSES,
    DROPOUT,
    EPOCHS,
    FEATURES,
    HIDDEN,
    LR,
    ROWS,
    SEED,
    WILD,
    Array,
    Peer,
    main,
)

SPEC = f"""\
name: net
seed: {SEED}
dataset: {{blobs: {{n_samples: {{train: {ROWS}}}, n_features: {FEATURES}, centers: {CLASSES}, cluster_std: 4.0}}}}
layers:
  - linear: HIDDEN
  - relu
  - dropout: {DROPOUT}
  - linear
loss: cross_entropy
optimizer: {{OPTIMIZER: LR}}
training: {{epochs: EPOCHS, batch_size: {BATCH}, checkpoint: OFTEN}}
"""


class Ffspec(Peer):
    """Its command, in this process."""

    def train(self, folder: Path, *, epochs: int, lr: float = LR, hidden: int = HIDDEN, often: bool = False) -> Any:
        """Run the spec, or resume the run that is there."""
        if (folder / "net").exists():
            self._call("resume", str(folder / "net" / "001"), "--epochs", str(epochs))
            return folder / "net" / "001"
        folder.mkdir(parents=True, exist_ok=True)
        text = SPEC.replace("HIDDEN", str(hidden)).replace("LR", f"{lr:.1e}").replace("EPOCHS", str(epochs))
        text = text.replace("OPTIMIZER", "sgd" if lr == WILD else "adam")
        (folder / "net.yaml").write_text(text.replace("OFTEN", "{steps: 1}" if often else "{epochs: 1}"))
        self._call("run", str(folder / "net.yaml"), "--out", str(folder))
        return folder / "net" / "001"

    def weights(self, model: Any) -> list[Array]:
        """Read the weights of a run."""
        from safetensors.numpy import load_file

        return [array for _, array in sorted(load_file(model / rundir.MODEL).items())]

    def read(self, folder: Path, hidden: int) -> Any:
        """Resume for no more epochs than there were, and return what that ends in."""
        directory = folder / "net" / "001"
        epochs = 1 if hidden != HIDDEN else EPOCHS // 2
        return list(ffspec.resume(directory, epochs=epochs).model.state_dict().values())

    def files(self, folder: Path) -> list[Path]:
        """Return the checkpoint that is resumed from; `tests.bench.flips` has all files."""
        return rundir.RunDirectory(folder / "net" / "001").checkpoints()[:1]

    def _call(self, *arguments: str) -> None:
        code = _exit_code([*arguments])
        if code:
            sys.exit(code)


if __name__ == "__main__":
    main(Ffspec)
