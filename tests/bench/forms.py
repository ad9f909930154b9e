"""What it is worth to train many networks as one, kind by kind: `python -m tests.bench.forms`.

Sixteen seeds of a small network, in rows of sixteen features and batches of 128, as a population and one after another:
with each kind of layer and optimizer that has a form of its own for many networks. The last line is a whole
cross-validation beside as many runs. By turns in one process on one thread; the time is that of the CPU, of all there
is to it but the data. Ends with 1 if one is slower than one after another by more than a fifth.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

import ffspec
from ffspec.data import load_spec
from ffspec.runner.population import member_of, train_together
from ffspec.runner.population.alone import train_alone
from ffspec.runner.population.together import divided
from ffspec.runner.several import of_fold
from tests.bench.measure import machine, repeats

TEXT = """\
dataset: {regression: {n_samples: 640, n_features: 16, noise: 1.0, random_state: 1}, split: SPLIT, prepare: standardize}
layers: LAYERS
loss: mse
optimizer: OPTIMIZER
training: {epochs: 20, batch_size: 128}
"""
PLAIN = "[{linear: 64}, relu, {linear: 64}, relu, linear, target_scale]"
DECAY = "{adamw: {lr: 0.001, weight_decay: 0.1, groups: [{parameters: bias, weight_decay: 0}]}}"
CASES = {
    "adam": (PLAIN, "adam"),
    "groups of parameters": (PLAIN, DECAY),
    **{name: (PLAIN, name) for name in ("nadam", "radam", "adamax", "adadelta", "asgd", "rprop")},
    "rrelu": (PLAIN.replace("relu", "rrelu"), "adam"),
    "piecewise_linear": ("[{piecewise_linear: 8}, {linear: 64}, relu, linear, target_scale]", "adam"),
    "shortcut: ridge": ("[{residual: {shortcut: ridge, layers: [{linear: 64}, relu, linear]}}, target_scale]", "adam"),
    "ensembles of 8": (
        "[{ensemble: {members: 8, layers: [{linear: 16}, relu, {linear: 16}, relu, linear]}}, target_scale]",
        "adam",
    ),
    "ensembles of 8, share: hidden": (
        "[{ensemble: {members: 8, share: hidden, layers: [{linear: 16}, relu, linear]}}, target_scale]",
        "adam",
    ),
}
SEEDS = 16
FOLDS = 8
MOST = 1.2


def written(layers: str, optimizer: str, split: str = "{validation: 0.1, test: 0.1}") -> str:
    """Return a spec."""
    return TEXT.replace("LAYERS", layers).replace("OPTIMIZER", optimizer).replace("SPLIT", split)


def ratio(one: Callable[[], object], other: Callable[[], object], times: int) -> float:
    """Return the median of how many times as long one takes as the other, run by turns."""
    found = []
    for _ in range(times + 1):
        spent = []
        for run in (one, other):
            start = time.process_time()
            run()
            spent.append(time.process_time() - start)
        found.append(spent[0] / spent[1])
    return statistics.median(found[1:])


def main() -> int:
    """Print the table, and return 1 if something does not pay."""
    times = repeats(__doc__)
    torch.set_num_threads(1)
    table = Table("networks", "at once", "of one after another")
    found = []
    for name, (layers, optimizer) in CASES.items():
        spec = ffspec.load(written(layers, optimizer))
        loaded = load_spec(spec)
        members = [member_of(spec.model_copy(update={"seed": seed}), loaded) for seed in range(SEEDS)]
        chunks = divided(members, range(SEEDS))
        found.append(
            ratio(
                lambda members=members: [*train_together(members)],  # type: ignore[misc]
                lambda members=members: [train_alone(*one, None, None) for one in enumerate(members)],  # type: ignore[misc]
                times,
            )
        )
        table.add_row(name, str(len(chunks[0])), f"{found[-1]:.2f}")
    spec = ffspec.load(written(PLAIN, "adam", "{validation: 0.1}"))
    runs = [of_fold(spec, FOLDS, fold) for fold in range(1, FOLDS + 1)]
    found.append(
        ratio(lambda: ffspec.cross_validate(spec, folds=FOLDS), lambda: [ffspec.run(one) for one in runs], times)
    )
    table.add_row(f"--folds {FOLDS}, all in all", str(FOLDS), f"{found[-1]:.2f}")
    Console(width=100).print(machine(), table, sep="\n")
    return int(max(found) > MOST)


if __name__ == "__main__":
    sys.exit(main())
