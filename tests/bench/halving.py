"""What stopping trainings early is worth: `python -m tests.bench.halving`.

The sweep of `tests.bench.sweep` over learning rate and weight decay, by tpe, which trains every point to its end, and
by hyperband with as many points and with twice as many; each with several seeds of the sweep, one after another in one
process. CPU time has all of `ffspec.sweep` in it. Ends with 1 if hyperband with as many points takes more than 0.6 of
the time of tpe.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import torch

import ffspec
from ffspec.runner.sweeping import Sweeping
from tests.bench.measure import machine
from tests.bench.sweep import rows, spec

MOST = 0.6
"""The share of tpe's time that hyperband may take."""


def text(method: str, points: int, epochs: int, seed: int) -> str:
    """Return a sweep."""
    whole = spec(points, epochs).replace("    seed: {int: [0, 1000]}\n", "")
    return f"{whole}  method: {method}\n  seed: {seed}\n"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = rows()
    ffspec.sweep(text("tpe", 12, 1, 0), data)  # what is imported and compiled once is no part of it
    kinds = (("tpe", options.points), ("hyperband", options.points), ("hyperband", 2 * options.points))
    taken: dict[tuple[str, int], list[float]] = {kind: [] for kind in kinds}
    found: dict[tuple[str, int], list[Sweeping]] = {kind: [] for kind in kinds}
    for seed in range(options.seeds):
        for kind in kinds:
            start = time.process_time()
            found[kind].append(ffspec.sweep(text(*kind, options.epochs, seed), data))
            taken[kind].append(time.process_time() - start)
    print(machine())
    print(f"16-64-64-1, 2048 rows, batches of 128, {options.epochs} epochs, adam; medians of {options.seeds} sweeps")
    print(f"{'':12} {'points':>6} {'CPU s':>6} {'ratio':>6} {'epochs':>7} {'best validation loss':>21} {'worst':>8}")
    for kind in kinds:
        pairs = zip(taken[kind], taken[kinds[0]], strict=True)
        ratio = statistics.median(one / other for one, other in pairs)
        losses = [one.best.value or float("inf") for one in found[kind]]
        epochs = statistics.median(sum(trial.epochs for trial in one.trials) for one in found[kind])
        seconds, loss = statistics.median(taken[kind]), statistics.median(losses)
        print(f"{kind[0]:12} {kind[1]:6} {seconds:6.2f} {ratio:6.2f} {epochs:7.0f} {loss:21.4f} {max(losses):8.4f}")
    shares = zip(taken[kinds[1]], taken[kinds[0]], strict=True)
    return int(statistics.median(one / other for one, other in shares) > MOST)


if __name__ == "__main__":
    sys.exit(main())
