"""Fits one model to one divided table, in a process of its own: `python -m tests.bench.tables.fit MODEL FILE OUT`.

It needs neither ffspec nor what another model needs, so that a model may live in an environment of its own.
"""

from __future__ import annotations

import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

TARGET, SPLIT = "target", "split"


@dataclass(frozen=True, slots=True)
class Table:
    """The rows to fit, and to predict."""

    path: Path
    frame: pl.DataFrame
    known: Any
    """Marks the rows to fit, those for validation among them."""
    classes: bool
    seed: int

    @property
    def features(self) -> pl.DataFrame:
        """The columns to predict from."""
        return self.frame.drop(TARGET, SPLIT)

    @property
    def texts(self) -> list[str]:
        """The columns of categories."""
        return [name for name, kind in self.features.schema.items() if kind == pl.String]

    @property
    def y(self) -> Any:
        """The target of all rows: class numbers in the order of the labels, or numbers."""
        column = self.frame.get_column(TARGET)
        if not self.classes:
            return column.to_numpy()
        return np.unique(column.to_numpy().astype(str), return_inverse=True)[1]


def main() -> None:
    """Fit the model named on the command line, and keep what it predicts and what CPU time it took."""
    name, source, target, seed = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    frame = pl.read_parquet(source)
    known = (frame.get_column(SPLIT) != "test").to_numpy()
    table = Table(source, frame, known, frame.schema[TARGET] == pl.String, seed)
    warnings.simplefilter("ignore")
    fit = FITS.get(name.partition(":")[0])
    if fit is None:
        raise SystemExit(f"unknown model {name}: {', '.join(FITS)}")
    seconds, predicted = fit(table, name.partition(":")[2])
    np.savez(target, predicted=predicted, truth=table.y[~known], seconds=seconds)


def _ffspec(table: Table, recipe: str) -> tuple[float, Any]:
    import torch

    import ffspec
    from ffspec.runner.metrics import read_classes, read_values

    recipe, *settings = recipe.split(",")
    text = (
        f"recipe: {recipe}\ndataset: {{parquet: {{path: {table.path}, target: {TARGET}, split_column: {SPLIT}, "
        f"task: {'classification' if table.classes else 'regression'}}}}}\n"
    )
    text += f"seed: {table.seed}\n"
    begun = time.process_time()
    result = ffspec.run(text, overrides=settings, allow_outside=True)
    seconds = time.process_time() - begun
    parameter = next(result.model.parameters())
    with torch.inference_mode():
        output = result.model(torch.from_numpy(result.data.splits["test"].x).to(parameter))
    if not table.classes:
        return seconds, np.asarray(read_values(output, result.spec.loss)).ravel()
    return seconds, np.asarray(read_classes(output, result.spec.loss).probability)


def _sklearn(table: Table, kind: str) -> tuple[float, Any]:
    begun = time.process_time()
    model, x = MODELS[kind](table)
    model.fit(x[table.known], table.y[table.known])
    seconds = time.process_time() - begun
    rest = x[~table.known]
    return seconds, model.predict_proba(rest) if table.classes else model.predict(rest)


def _encoded(table: Table) -> Any:
    """Return a frame as scikit-learn's transformers take it."""
    return table.features.to_pandas()


def _columns(table: Table) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in table.features.columns if name not in table.texts]
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), table.texts),
        ]
    )


def _mlp(table: Table) -> tuple[Any, Any]:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if table.classes:
        return make_pipeline(_columns(table), MLPClassifier(random_state=table.seed)), _encoded(table)
    network = make_pipeline(_columns(table), MLPRegressor(random_state=table.seed))
    return TransformedTargetRegressor(network, transformer=StandardScaler()), _encoded(table)


def _linear(table: Table) -> tuple[Any, Any]:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    model = LogisticRegression(max_iter=1000) if table.classes else Ridge()
    return make_pipeline(_columns(table), model), _encoded(table)


def _boosting(table: Table) -> tuple[Any, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if table.classes else HistGradientBoostingRegressor
    frame = _encoded(table).astype(dict.fromkeys(table.texts, "category"))
    return kind(categorical_features="from_dtype", random_state=table.seed), frame


def _realmlp(table: Table, variant: str) -> tuple[float, Any]:
    import torch
    from pytabkit.models.sklearn import sklearn_interfaces as models

    torch.set_num_threads(1)
    kind = getattr(models, f"RealMLP_{variant or 'TD'}_{'Classifier' if table.classes else 'Regressor'}")
    frame = _encoded(table).astype(dict.fromkeys(table.texts, "category"))
    chosen = (table.frame.get_column(SPLIT).to_numpy() == "validation")[table.known]
    model = kind(device="cpu", random_state=table.seed, n_threads=1, verbosity=0)
    begun = time.process_time()
    model.fit(frame[table.known], table.y[table.known], val_idxs=np.flatnonzero(chosen))
    seconds = time.process_time() - begun
    rest = frame[~table.known]
    return seconds, model.predict_proba(rest) if table.classes else model.predict(rest)


MODELS = {"mlp": _mlp, "linear": _linear, "boosting": _boosting}
FITS = {"ffspec": _ffspec, "sklearn": _sklearn, "realmlp": _realmlp}

if __name__ == "__main__":
    main()
