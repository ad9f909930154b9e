"""A sweep beside scikit-learn's, point for point: `python -m tests.bench.sweep`.

128 points over learning rate, weight decay and seed of a 16-64-64-1 network, the same ones for both, in one process,
one after the other and again; the median of the ratios counts. ffspec's time has all of `ffspec.sweep` in it: checks,
training, the run of the best and the comparison with the spec as it stands. Ends with 1 if a sweep takes more than a
quarter of the time of RandomizedSearchCV, or if its best validation loss is worse.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import PredefinedSplit, RandomizedSearchCV
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

import ffspec
from ffspec.runner.sweeping import Sweeping
from tests.bench.measure import machine

FEATURES, TRAIN, VALIDATION, BATCH = 16, 2048, 512, 128
MOST = 0.25
"""The share of scikit-learn's time a sweep may take."""


def rows(seed: int = 0) -> dict[str, tuple[Any, Any]]:
    """Return a smooth function of sixteen numbers, with noise."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(TRAIN + 2 * VALIDATION, FEATURES)).astype(np.float32)
    y = np.sin(x[:, 0] * 2) + x[:, 1] * x[:, 2] + 0.5 * x[:, 3] ** 2 + 0.1 * draw.normal(size=len(x))
    parts = {"train": slice(0, TRAIN), "validation": slice(TRAIN, TRAIN + VALIDATION), "test": slice(-VALIDATION, None)}
    return {name: (x[part], y[part].astype(np.float32)) for name, part in parts.items()}


def spec(points: int, epochs: int) -> str:
    """Return the sweep."""
    return f"""\
dataset: arrays
layers: [{{linear: 64}}, relu, {{linear: 64}}, relu, linear]
loss: mse
optimizer: {{adam: {{lr: 0.001, weight_decay: 1.0e-6}}}}
training: {{epochs: {epochs}, batch_size: {BATCH}}}
sweep:
  axes:
    optimizer.adam.lr: {{log_uniform: [1.0e-4, 3.0e-2]}}
    optimizer.adam.weight_decay: {{log_uniform: [1.0e-8, 1.0e-3]}}
    seed: {{int: [0, 1000]}}
  trials: {points}
"""


def ours(data: dict[str, Any], points: int, epochs: int) -> tuple[float, Sweeping]:
    """Return the CPU time of a sweep, and the sweep."""
    start = time.process_time()
    found = ffspec.sweep(spec(points, epochs), data)
    return time.process_time() - start, found


def theirs(data: dict[str, Any], found: Sweeping, epochs: int) -> tuple[float, float]:
    """Return the CPU time of the same points through RandomizedSearchCV, and its best validation loss."""
    listed = []
    for trial in found.trials:
        optimizer: Any = found.space.spec(trial.point).optimizer
        seed = found.space.spec(trial.point).seed
        # alpha is divided by the rows of a batch.
        point = {"learning_rate_init": optimizer.lr, "alpha": optimizer.weight_decay * BATCH, "random_state": seed}
        listed.append({name: [value] for name, value in point.items()})
    x, y = (np.concatenate([data[name][place] for name in ("train", "validation")]) for place in (0, 1))
    folds = PredefinedSplit(np.r_[np.full(TRAIN, -1), np.zeros(VALIDATION, dtype=int)])
    network = MLPRegressor(
        hidden_layer_sizes=(64, 64), batch_size=BATCH, max_iter=epochs, tol=0.0, n_iter_no_change=epochs + 1
    )
    search = RandomizedSearchCV(
        network,
        listed,
        n_iter=len(listed),
        scoring="neg_mean_squared_error",
        cv=folds,
        refit=False,
        random_state=0,
    )
    start = time.process_time()
    with warnings.catch_warnings(), threadpool_limits(1):  # it is as slow with two
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # of points that run away
        search.fit(x, y)
    return time.process_time() - start, -float(search.best_score_)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = rows()
    ours(data, 4, 1)  # what is imported and compiled once is no part of it
    taken: list[tuple[float, float]] = []
    losses = (0.0, 0.0)
    for _ in range(options.repeats):
        mine, found = ours(data, options.points, options.epochs)
        other, best = theirs(data, found, options.epochs)
        taken.append((mine, other))
        losses = (found.best.value or float("inf"), best)
    ratio = statistics.median(mine / other for mine, other in taken)
    print(machine())
    print(f"{options.points} points, 16-64-64-1, {TRAIN} rows, batches of {BATCH}, {options.epochs} epochs, adam")
    print(f"{'':24} {'CPU s':>8} {'ms/point':>9} {'best validation loss':>21}")
    names = ("ffspec sweep", "RandomizedSearchCV")
    for place, (name, loss) in enumerate(zip(names, losses, strict=True)):
        seconds = statistics.median(pair[place] for pair in taken)
        print(f"{name:24} {seconds:8.2f} {1000 * seconds / options.points:9.1f} {loss:21.5f}")
    print(f"ratio {ratio:.3f} (at most {MOST})")
    return int(ratio > MOST or losses[0] > losses[1])


if __name__ == "__main__":
    sys.exit(main())
