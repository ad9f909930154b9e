"""What compiling is worth, and what it costs: `python -m tests.bench.compiled`.

Steps of several networks (gradients and optimizer, without the gathering of rows): ffspec's as it is, with
`training: {compile: true}`, and those of a plain loop whose network and loss are compiled by torch.compile. By turns in
one process on one thread; the time is that of the CPU. Then whole processes of `ffspec run`: not compiled, compiled
with nothing kept, and compiled with the code of the process before.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import ffspec
from ffspec.data import load_spec
from ffspec.planner import plan
from ffspec.runner.batches import size_of
from ffspec.runner.compiling import CACHE, Objective
from ffspec.runner.setup import Setup, set_up, trainer_of
from ffspec.runner.stepping import stepper
from tests.bench.measure import Cost, machine, median, repeats, spend

BLOCK = "{linear: {out_features: 64, bias: false}}, batch_norm, silu, {dropout: 0.1}, "
CASES = {
    "2-10-1, bce_with_logits, sgd": (2, 40, "[{linear: 10}, relu, linear]", "bce_with_logits", "sgd"),
    "16-64-64-1, mse, adam": (16, 128, "[{linear: 64}, relu, {linear: 64}, relu, linear]", "mse", "adam"),
    "the same with batch_norm, silu, dropout": (
        16,
        128,
        f"[{2 * BLOCK}linear]",
        "mse",
        "adam",
    ),
    "piecewise_linear, 128-128-1, mse, adam": (
        16,
        256,
        "[{piecewise_linear: {d_embedding: 8}}, flatten, {linear: 128}, relu, {linear: 128}, relu, linear]",
        "mse",
        "adam",
    ),
    "periodic, 128-128-1, mse, adam": (
        16,
        256,
        "[periodic, flatten, {linear: 128}, relu, {linear: 128}, relu, linear]",
        "mse",
        "adam",
    ),
    "100-256-256-256-1, gelu, layer_norm, mse, adam": (
        100,
        1024,
        "[{repeat: {times: 3, layers: [{linear: 256}, gelu, layer_norm]}}, linear]",
        "mse",
        "adam",
    ),
    "784-512-512-10, cross_entropy, adam": (
        784,
        256,
        "[{linear: 512}, relu, {linear: 512}, relu, linear]",
        "cross_entropy",
        "adam",
    ),
}
"""Networks: features, rows of a step, layers, loss, optimizer."""
SECONDS = 0.2
"""About so much CPU time is a measurement."""


def setup_of(name: str) -> Setup:
    """Return a network that is set up, on random rows."""
    width, batch, layers, loss, optimizer = CASES[name]
    drawn = np.random.default_rng(0)
    x = drawn.standard_normal((2 * batch, width), dtype=np.float32)
    classes = 10 if loss == "cross_entropy" else 2
    y = x[:, :1] * 2 + x[:, 1:2] if loss == "mse" else np.argsort(np.argsort(x[:, 0])) * classes // (2 * batch)
    spec = ffspec.load(
        f"dataset: arrays\nlayers: {layers}\nloss: {loss}\noptimizer: {{{optimizer}: 0.001}}\n"
        f"training: {{epochs: 1, batch_size: {batch}}}\n"
    )
    loaded = load_spec(spec, {"train": (x, y), "test": (x, y)})
    return set_up(spec, plan(spec, loaded.facts), loaded)


def step_of(setup: Setup, *, compiled: bool) -> Callable[[], Any]:
    """Return a step of ffspec's on the first rows."""
    trainer, train = trainer_of(setup), setup.splits["train"]
    rows = size_of(train, setup.spec.training)
    given = rows if compiled else None
    step = stepper(
        setup.network.train(), setup.judge, trainer.optimizers, setup.spec.training, written=True, compiled=given
    )
    x, target = train.x[: len(rows[0])], train.target[: len(rows[0])]
    return lambda: step(x, target, None)


def step_of_module(setup: Setup) -> Callable[[], Any]:
    """Return a step of a plain loop whose network and loss torch.compile has compiled."""
    train, size = setup.splits["train"], int(setup.spec.training.batch_size)
    x, target = train.x[:size], train.target[:size]
    objective: Any = torch.compile(Objective(setup.network.train(), setup.judge), dynamic=False)
    kind = torch.optim.SGD if setup.spec.optimizer.name == "sgd" else torch.optim.Adam
    optimizer = kind(setup.network.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        objective(x, target).backward()
        optimizer.step()

    return step


def measure(name: str, count: int) -> list[list[float]]:
    """Return the microseconds of a step, of each way in each repeat."""
    plain = step_of(setup_of(name), compiled=False)
    ways = [plain, step_of(setup_of(name), compiled=True), step_of_module(setup_of(name))]
    for way in ways:
        way()
    start = time.process_time()
    for _ in range(20):
        plain()
    steps = max(10, int(SECONDS / ((time.process_time() - start) / 20)))
    found: list[list[float]] = [[] for _ in ways]
    for _ in range(count):
        for taken, way in zip(found, ways, strict=True):
            start = time.process_time()
            for _ in range(steps):
                way()
            taken.append((time.process_time() - start) * 1e6 / steps)
    return found


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the ratios of repeats."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def processes(count: int) -> dict[str, list[Cost]]:
    """Return what whole runs cost."""
    found: dict[str, list[Cost]] = {"not compiled": [], "compiled, nothing kept": [], "compiled before": []}
    text = (
        "name: compiled\ndataset: {regression: {n_samples: 1280, n_features: 16}}\n"
        "layers: [{linear: 64}, relu, {linear: 64}, relu, linear]\nloss: mse\noptimizer: adam\n"
        "training: {epochs: 5, batch_size: 128}\n"
    )
    for _ in range(count):
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / "spec.yaml"
            file.write_text(text, encoding="utf-8")
            for way, taken in found.items():
                more = ("--set", f"training.compile={str(way != 'not compiled').lower()}", "--out", f"{name}/runs")
                command = (sys.executable, "-m", "ffspec", "run", str(file), *more)
                taken.append(spend(command, environment={CACHE: f"{name}/cache"}))
    return found


def main() -> int:
    """Measure, and print both tables."""
    count = repeats(__doc__)
    torch.set_num_threads(1)
    console = Console(width=120)
    console.print(machine(), highlight=False)
    table = Table("network", "rows", "microseconds", "compiled", "ratio", "torch.compile", "ratio")
    with tempfile.TemporaryDirectory() as name:
        os.environ[CACHE] = name
        for case in CASES:
            plain, ours, module = measure(case, count)
            cells = [f"{statistics.median(taken):,.0f}" for taken in (plain, ours, module)]
            table.add_row(
                case, str(CASES[case][1]), cells[0], cells[1], f"{ratio(ours, plain):.2f}", cells[2],
                f"{ratio(module, plain):.2f}",
            )  # fmt: skip
    console.print(table)
    whole = Table("ffspec run, as a whole process", "wall s", "CPU s")
    for way, costs in processes(min(count, 3)).items():
        cost = median(costs)
        whole.add_row(way, f"{cost.wall:.1f}", f"{cost.cpu:.1f}")
    console.print(whole)
    return 0


if __name__ == "__main__":
    sys.exit(main())
