"""ffspec's recipes beside scikit-learn's network, its gradient boosting, a linear model, and RealMLP.

    python -m tests.bench.tables --sets digits diabetes --realmlp python

All models see the same training rows and are judged on the same test rows, which none of them has seen; those that
choose an epoch choose it on the same fifth of the training rows. Settings are each model's own defaults, so nothing is
tuned. RealMLP is pytabkit's; `--realmlp` names the Python that has it. One thread each, one after another.

Printed are accuracy and log-loss, or RMSE and R2, of all test rows taken together, with a bootstrap 95 % interval, and
the CPU seconds of one fit; at the end, how far each is from the best on average.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.bench.measure import ROOT, machine
from tests.bench.tables.sets import MAKERS, Problem, problems

MODELS = (
    "ffspec:tabular", "ffspec:tabular_embedded", "ffspec:tabular_ensemble", "ffspec:plain",
    "sklearn:mlp", "sklearn:boosting", "sklearn:linear", "realmlp",
)  # fmt: skip
RESAMPLES = 1000


@dataclass(slots=True)
class Fits:
    """What one model predicts for all test rows of a table."""

    predicted: list[Any] = field(default_factory=list)
    truth: list[Any] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def scores(self, *, classes: bool) -> dict[str, tuple[float, float, float]]:
        """Return each figure with the bounds of its interval."""
        predicted, truth = np.concatenate(self.predicted), np.concatenate(self.truth)
        measures = CLASS_FIGURES if classes else VALUE_FIGURES
        random = np.random.default_rng(0)
        made = {}
        for name, measure in measures.items():
            parts = measure(predicted, truth)
            drawn = []
            for _ in range(RESAMPLES if len(truth) < 20_000 else 100):
                weights = random.multinomial(len(truth), np.full(len(truth), 1 / len(truth)))
                drawn.append(parts(weights))
            low, high = np.percentile(drawn, (2.5, 97.5))
            made[name] = (float(parts(np.ones(len(truth)))), float(low), float(high))
        return made


def _accuracy(predicted: Any, truth: Any) -> Any:
    right = predicted.argmax(axis=1) == truth
    return lambda weights: np.average(right, weights=weights)


def _log_loss(predicted: Any, truth: Any) -> Any:
    chance = predicted[np.arange(len(truth)), truth] / predicted.sum(axis=1)
    losses = -np.log(np.clip(chance, 1e-15, None))
    return lambda weights: np.average(losses, weights=weights)


def _auc(predicted: Any, truth: Any) -> Any:
    from sklearn.metrics import roc_auc_score

    if predicted.shape[1] != 2:
        return lambda _: np.nan
    return lambda weights: roc_auc_score(truth, predicted[:, 1], sample_weight=weights)


def _rmse(predicted: Any, truth: Any) -> Any:
    squares = (predicted - truth) ** 2
    return lambda weights: np.sqrt(np.average(squares, weights=weights))


def _r2(predicted: Any, truth: Any) -> Any:
    squares = (predicted - truth) ** 2

    def score(weights: Any) -> float:
        center = np.average(truth, weights=weights)
        return float(1 - np.average(squares, weights=weights) / np.average((truth - center) ** 2, weights=weights))

    return score


CLASS_FIGURES = {"accuracy": _accuracy, "log_loss": _log_loss, "auc": _auc}
VALUE_FIGURES = {"rmse": _rmse, "r2": _r2}


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["iris", "wine", "breast_cancer", "digits", "diabetes"],
                        choices=list(MAKERS), metavar="SET", help=f"which tables: {', '.join(MAKERS)}")  # fmt: skip
    parser.add_argument("--models", nargs="+", default=list(MODELS), metavar="MODEL", help=", ".join(MODELS))
    parser.add_argument("--folds", type=int, default=5, help="parts of the small tables (5)")
    parser.add_argument("--seeds", type=int, default=5, help="random divisions of diamonds (5)")
    parser.add_argument("--realmlp", default="", metavar="PYTHON", help="a Python that has pytabkit")
    given = parser.parse_args()
    models = [name for name in given.models if given.realmlp or not name.startswith("realmlp")]
    console = Console(width=140)
    console.print(machine())
    losses: dict[str, list[float]] = defaultdict(list)
    for problem in problems(given.sets, given.folds, given.seeds):
        fits = {model: _fit(problem, model, given.realmlp) for model in models}
        _show(console, problem, fits)
        _compare(problem, fits, losses)
    _show_means(console, losses)


def _fit(problem: Problem, model: str, realmlp: str) -> Fits:
    """Fit a model to every part of a table, each in a process of its own."""
    fits = Fits()
    python = realmlp if model.startswith("realmlp") else sys.executable
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with TemporaryDirectory() as folder:
        for part in range(len(problem.tested)):
            file, out = Path(folder) / "rows.parquet", Path(folder) / "fit.npz"
            problem.divided(part).write_parquet(file)
            command = (python, "-m", "tests.bench.tables.fit", model, str(file), str(out), str(part))
            child = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            if child.returncode:
                raise SystemExit(f"{model} on {problem.name} failed:\n{child.stderr}")
            with np.load(out) as found:
                fits.predicted.append(found["predicted"])
                fits.truth.append(found["truth"])
                fits.seconds.append(float(found["seconds"]))
    return fits


def _show(console: Console, problem: Problem, fits: dict[str, Fits]) -> None:
    classes = problem.task == "classification"
    table = Table(title=f"{problem.name}: {problem.frame.height:,} rows, {len(problem.tested)} parts")
    table.add_column("model")
    figures = CLASS_FIGURES if classes else VALUE_FIGURES
    for name in figures:
        table.add_column(name, justify="right")
    table.add_column("seconds", justify="right")
    for model, one in fits.items():
        scores = one.scores(classes=classes)
        cells = (
            "-" if np.isnan(value) else f"{value:.4g} [{low:.4g}, {high:.4g}]" for value, low, high in scores.values()
        )
        table.add_row(model, *cells, f"{mean(one.seconds):.1f}")
    console.print(table)


def _compare(problem: Problem, fits: dict[str, Fits], losses: dict[str, list[float]]) -> None:
    """Note how much more log-loss, or squared error, each model has than the best of them."""
    classes = problem.task == "classification"
    found = {model: one.scores(classes=classes)["log_loss" if classes else "rmse"][0] for model, one in fits.items()}
    best = min(found.values())
    for model, value in found.items():
        losses[model].append(value / best)


def _show_means(console: Console, losses: dict[str, list[float]]) -> None:
    table = Table(title="log-loss or RMSE over that of the best model of each table, geometric mean")
    table.add_column("model")
    table.add_column("ratio", justify="right")
    for model, ratios in sorted(losses.items(), key=lambda item: mean(np.log(item[1]))):
        table.add_row(model, f"{float(np.exp(mean(np.log(ratios)))):.3f}")
    console.print(table)


if __name__ == "__main__":
    main()
