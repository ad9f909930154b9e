# mypy: disable-error-code="import-not-found, import-untyped, no-untyped-call"
# mypy: allow-subclassing-any
"""What a training step costs beside other ways to take it: `python -m tests.bench.step`.

Three networks, each trained by ffspec's loop, by the best plain loop PyTorch allows (fused optimizer, one gather an
epoch), by scikit-learn and, as far as they are installed (`pip install -e '.[bench]'`), by Lightning, skorch and Keras.
JAX is the limit of compiled code: all steps in one call. All by turns on one thread, a few hundred steps at a time, in
one process but for what uses JAX; the time is that of the CPU. The last column is how much of ffspec's step is matrix
products: the time those very products take alone, through ffspec's. Ends with 1 if a goal is missed.
"""

from __future__ import annotations

import logging
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits
from torch import nn

import ffspec
from ffspec.data import load_spec
from ffspec.planner import plan
from ffspec.runner.setup import set_up, trainer_of
from tests.bench.elsewhere import elsewhere
from tests.bench.measure import machine, repeats

Run = Callable[[int], float | None]
"""Trains for so many epochs; returns the CPU seconds that took, if another process did it."""


@dataclass(frozen=True, slots=True)
class Case:
    """A network and how it is trained."""

    widths: tuple[int, ...]
    batch: int
    steps: int
    """Steps of an epoch."""
    epochs: int
    """Epochs of a measurement."""
    loss: str
    optimizer: str
    goals: tuple[float, float, float]
    """At most so many times the plain loop, scikit-learn, and each of the others."""
    products: float = 0.0
    """The least share of matrix products."""

    @property
    def name(self) -> str:
        """What it is called in the table."""
        return f"{'-'.join(map(str, self.widths))}, batch {self.batch}, {self.loss}, {self.optimizer}"

    @property
    def rows(self) -> int:
        """The training rows."""
        return self.batch * self.steps


CASES = (
    Case((2, 10, 1), 40, 1, 400, "bce_with_logits", "sgd", (0.5, 0.5, 0.15)),
    Case((16, 64, 64, 1), 128, 10, 30, "mse", "adam", (0.5, 0.5, 0.15)),
    Case((784, 512, 512, 10), 256, 10, 20, "cross_entropy", "adam", (0.9, 1.0, 1.0), 0.75),
)
LR = 1e-3


def data(case: Case) -> tuple[Any, Any]:
    """Return rows and targets."""
    drawn = np.random.default_rng(0)
    x = drawn.standard_normal((case.rows, case.widths[0]), dtype=np.float32)
    if case.loss == "mse":
        return x, x[:, :1] * 2 + x[:, 1:2]
    score = x[:, 0] + x[:, 1]
    edges = np.quantile(score, np.linspace(0, 1, max(case.widths[-1], 2) + 1)[1:-1])
    return x, np.searchsorted(edges, score)


def network_of(case: Case) -> nn.Sequential:
    """Return the network as a plain loop has it."""
    pairs = list(zip(case.widths, case.widths[1:], strict=False))
    layers = [layer for inner, outer in pairs for layer in (nn.Linear(inner, outer), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def criterion_of(case: Case) -> nn.Module:
    """Return the loss."""
    match case.loss:
        case "mse":
            return nn.MSELoss()
        case "cross_entropy":
            return nn.CrossEntropyLoss()
    return nn.BCEWithLogitsLoss()


def optimizer_of(case: Case, network: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer, with its one kernel."""
    kind = torch.optim.SGD if case.optimizer == "sgd" else torch.optim.Adam
    return kind(network.parameters(), lr=LR, fused=True)


def tensors(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows and targets as the loss wants them."""
    x, y = data(case)
    target = torch.from_numpy(y)
    return torch.from_numpy(x), target.float().view(-1, 1) if case.loss == "bce_with_logits" else target


def with_ffspec(case: Case) -> Run:
    """Return ffspec's own loop."""
    hidden = "".join(f"{{linear: {width}}}, relu, " for width in case.widths[1:-1])
    text = (
        f"dataset: arrays\nlayers: [{hidden}linear]\nloss: {case.loss}\n"
        f"optimizer: {{{case.optimizer}: {LR}}}\ntraining: {{epochs: 1, batch_size: {case.batch}}}\n"
    )
    x, y = data(case)
    spec = ffspec.load(text)
    loaded = load_spec(spec, {"train": (x, y), "test": (x[: case.batch], y[: case.batch])})
    setup = set_up(spec, plan(spec, loaded.facts), loaded)
    trainer = trainer_of(setup)

    def run(epochs: int) -> None:
        replace(trainer, epochs=trainer.cursor.epoch + epochs - 1).run(lambda row: None)  # noqa: ARG005

    return run


def with_plain_loop(case: Case) -> Run:
    """Return the best plain loop: a fused optimizer, one gather an epoch, no loss looked at."""
    x, target = tensors(case)
    network, criterion = network_of(case), criterion_of(case)
    optimizer = optimizer_of(case, network)

    def run(epochs: int) -> None:
        for _ in range(epochs):
            order = torch.randperm(case.rows) if case.steps > 1 else slice(None)
            for part, wanted in zip(
                torch.split(x[order], case.batch), torch.split(target[order], case.batch), strict=True
            ):
                optimizer.zero_grad()
                criterion(network(part), wanted).backward()
                optimizer.step()

    return run


def with_sklearn(case: Case) -> Run:
    """Return scikit-learn's MLP."""
    x, y = data(case)
    kind = MLPRegressor if case.loss == "mse" else MLPClassifier
    target = y.ravel()

    def run(epochs: int) -> None:
        kind(
            hidden_layer_sizes=case.widths[1:-1],
            solver=case.optimizer,
            momentum=0.0,
            alpha=0.0,
            batch_size=case.batch,
            learning_rate_init=LR,
            max_iter=epochs,
            tol=0.0,
            n_iter_no_change=10**9,
        ).fit(x, target)

    return run


def with_lightning(case: Case) -> Run:
    """Return Lightning's Trainer on tensors in memory."""
    import lightning

    x, target = tensors(case)

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.criterion = network_of(case), criterion_of(case)

        def training_step(self, batch: tuple[torch.Tensor, torch.Tensor]) -> Any:
            return self.criterion(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return optimizer_of(case, self)

    class Batches:
        def __iter__(self) -> Any:
            order = torch.randperm(case.rows)
            yield from zip(torch.split(x[order], case.batch), torch.split(target[order], case.batch), strict=True)

        def __len__(self) -> int:
            return case.steps

    def run(epochs: int) -> None:
        lightning.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(Module(), Batches())

    return run


def with_skorch(case: Case) -> Run:
    """Return skorch's net."""
    import skorch

    x, target = tensors(case)
    net = skorch.NeuralNet(
        network_of(case),
        criterion=type(criterion_of(case)),
        optimizer=torch.optim.SGD if case.optimizer == "sgd" else torch.optim.Adam,
        optimizer__fused=True,
        lr=LR,
        batch_size=case.batch,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).initialize()

    def run(epochs: int) -> None:
        net.fit_loop(x, target, epochs=epochs)

    return run


def with_keras(case: Case, backend: str = "torch") -> Run:
    """Return Keras on its torch backend, or another; a process can have but one."""
    os.environ["KERAS_BACKEND"] = backend
    import keras

    x, y = data(case)
    layers = [keras.layers.Dense(width, activation="relu") for width in case.widths[1:-1]]
    model = keras.Sequential([keras.Input((case.widths[0],)), *layers, keras.layers.Dense(case.widths[-1])])
    losses = {
        "mse": "mse",
        "cross_entropy": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    }
    loss = losses.get(case.loss, keras.losses.BinaryCrossentropy(from_logits=True))
    model.compile(optimizer=case.optimizer, loss=loss)

    def run(epochs: int) -> None:
        model.fit(x, y, batch_size=case.batch, epochs=epochs, verbose=0)

    return run


COMPILED = frozenset({"JAX, one call", "Keras, JAX backend"})
"""What compiles its step; there is no goal beside it."""
PEERS: dict[str, tuple[str, Callable[[Case], Run]]] = {
    "ffspec": ("ffspec", with_ffspec),
    "plain loop, fused": ("torch", with_plain_loop),
    "scikit-learn": ("sklearn", with_sklearn),
    "Lightning": ("lightning", with_lightning),
    "skorch": ("skorch", with_skorch),
    "Keras, torch backend": ("keras", with_keras),
    "Keras, JAX backend": ("keras jax", partial(elsewhere, "keras")),
    "JAX, one call": ("jax", partial(elsewhere, "jax")),
}
"""What is measured, and the packages it needs."""


def products_of(case: Case) -> Run:
    """Return the matrix products of a step alone: forward, and for every weight and every input but the first."""
    rows, layers = case.batch, list(zip(case.widths, case.widths[1:], strict=False))
    calls: list[Callable[[], Any]] = []
    for place, (inner, outer) in enumerate(layers):
        x, weight, back = torch.randn(rows, inner), torch.randn(outer, inner), torch.randn(rows, outer)
        calls.append(partial(torch.addmm, torch.randn(outer), x, weight.t(), out=torch.empty(rows, outer)))
        calls.append(partial(torch.mm, back.t(), x, out=torch.empty(outer, inner)))
        if place:
            calls.append(partial(torch.mm, back, weight, out=torch.empty(rows, inner)))

    def run(epochs: int) -> None:
        for _ in range(epochs * case.steps):
            for call in calls:
                call()

    return run


def measure(case: Case, count: int) -> dict[str, list[float]]:
    """Return the microseconds of a step, of each repeat, by what takes it."""
    ways = {name: make(case) for name, (packages, make) in PEERS.items() if all(map(find_spec, packages.split()))}
    ways["products"] = products_of(case)
    found: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(count + 1):
        for name, run in ways.items():
            start = time.process_time()
            seconds = run(case.epochs)
            taken = time.process_time() - start if seconds is None else seconds
            if repeat:  # the first one fills the caches
                found[name].append(taken * 1e6 / (case.epochs * case.steps))
    return found


def show(console: Console, case: Case, found: dict[str, list[float]]) -> bool:
    """Print the table of a case, and return whether the goals are reached."""
    table = Table("step", "microseconds", "ffspec's is so many times", "goal", title=case.name, title_justify="left")
    ours, reached = found["ffspec"], True
    limits = {"plain loop, fused": case.goals[0], "scikit-learn": case.goals[1]}
    for name, theirs in found.items():
        if name in {"ffspec", "products"}:
            continue
        ratio, goal = (
            statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
            limits.get(name, case.goals[2]),
        )
        reached = reached and (ratio <= goal or name in COMPILED)
        told = "" if name in COMPILED else f"at most {goal}"
        table.add_row(name, f"{statistics.median(theirs):,.0f}", f"{ratio:.2f}", told)
    share = statistics.median(b / a for a, b in zip(ours, found["products"], strict=True))
    table.add_row("matrix products alone", f"{statistics.median(found['products']):,.0f}", f"{1 / share:.2f}",
                  f"at most {1 / case.products:.2f}" if case.products else "")  # fmt: skip
    table.add_row("ffspec", f"{statistics.median(ours):,.0f}", "", "")
    console.print(table)
    return reached and share >= case.products


def main() -> int:
    """Measure, print the tables, and return the exit code."""
    count = repeats(__doc__)
    threadpool_limits(1)  # scikit-learn's products
    warnings.simplefilter("ignore")  # of trainings that have not converged
    logging.disable(logging.WARNING)  # what Lightning says of every fit
    torch.set_num_threads(1)
    console = Console()
    console.print(machine(), highlight=False)
    console.print(f"CPU time, one thread, by turns; medians of {count} repeats.", highlight=False)
    reached = [show(console, case, measure(case, count)) for case in CASES]
    return int(not all(reached))


if __name__ == "__main__":
    sys.exit(main())
