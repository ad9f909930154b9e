# mypy: disable-error-code="import-untyped"
"""scikit-learn in the comparison: `warm_start`, and joblib as it advises: it has no checkpoint."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import joblib
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from tests.bench.peers.common import BATCH, HIDDEN, LONG, LR, SEED, WILD, Array, Peer, data, main


class ScikitLearn(Peer):
    """Its `MLPClassifier`; it has no dropout."""

    def train(self, folder: Path, *, epochs: int, lr: float = LR, hidden: int = HIDDEN, often: bool = False) -> Any:
        """Fit, from the dumped model if there is one, and dump it at the end; or after each epoch, if often."""
        warnings.simplefilter("ignore", ConvergenceWarning)  # a few epochs are not meant to converge
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / "model.joblib"
        model = joblib.load(kept) if kept.exists() else self._model(lr, hidden)
        x, y = data()
        left = epochs - len(getattr(model, "loss_curve_", ()))
        for _ in range(left if often else 1):
            model.set_params(max_iter=1 if often else left)
            model.fit(x, y)
            joblib.dump(model, kept)
        return model

    def weights(self, model: Any) -> list[Array]:
        """Return the weights of the model."""
        return [*model.coefs_, *model.intercepts_]

    def read(self, folder: Path, hidden: int) -> Any:  # noqa: ARG002 - the dump knows its sizes
        """Load the dump, and return weights and the optimizer's state."""
        model = joblib.load(folder / "model.joblib")
        return self.weights(model), model._optimizer.ms, model._optimizer.vs, model.loss_curve_

    def _model(self, lr: float, hidden: int) -> MLPClassifier:
        return MLPClassifier(
            (hidden,),
            solver="sgd" if lr == WILD else "adam",
            learning_rate_init=lr,
            batch_size=BATCH,
            n_iter_no_change=LONG,
            warm_start=True,
            random_state=SEED,
        )


if __name__ == "__main__":
    main(ScikitLearn)
