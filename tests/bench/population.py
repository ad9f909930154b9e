"""What many networks cost when they are trained as one: `python -m tests.bench.population`.

Seeds of one spec, trained as one network, beside the best plain loop PyTorch allows (fused optimizer, tensor indexing)
that trains one of them, or as many one after another. By turns in one process on one thread; the time is that of the
CPU, and counts the steps and what is made for them, but not the data and the first weights. The last table is of all
there is to it: `train_together` with set-up and the checks before and after, beside the same runs one after another.
The column of JAX is the limit of compiled code: all members as one (vmap), all steps in one call. Ends with 1 if a goal
is missed.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from math import isnan, nan
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

import ffspec
from ffspec.builder.network import build_network
from ffspec.data import load_spec
from ffspec.runner.population import Member, member_of, train_together
from ffspec.runner.population.alone import train_alone
from ffspec.runner.population.chunk import Chunk, courses_of
from ffspec.runner.population.together import divided, set_up_all
from tests.bench.elsewhere import elsewhere
from tests.bench.measure import ROOT, machine, repeats
from tests.bench.step import CASES as CASES_OF_STEP


@dataclass(frozen=True, slots=True)
class Case:
    """Members of one spec."""

    name: str
    text: str
    members: int
    loops: int
    """How many plain loops are run beside them, one after another."""
    goal: float | None
    """At most so many times as long as those; None: as it is."""
    like: int | None = None
    """Which of the networks of tests.bench.step they are, if any."""


def deep(widths: tuple[int, ...], loss: str, source: str, epochs: int, batch: int) -> str:
    """Return the spec of a network with relus, of ten steps an epoch."""
    hidden = "".join(f"{{linear: {width}}}, relu, " for width in widths[1:-1])
    return (
        f"dataset: {{{source}: {{n_samples: {10 * batch}, n_features: {widths[0]}}}, split: none}}\n"
        f"layers: [{hidden}linear]\nloss: {loss}\noptimizer: {{adam: 0.001}}\n"
        f"training: {{epochs: {epochs}, batch_size: {batch}}}\n"
    )


FEEDFORWARD = (ROOT / "specs" / "feedforward.yaml").read_text(encoding="utf-8")
LONG = FEEDFORWARD.replace("epochs: 20", "epochs: 1000")
SMALL = deep((16, 64, 64, 1), "mse", "regression", 10, 128)
WIDE = deep((64, 256, 256, 1), "mse", "regression", 5, 256)
CASES = (
    Case("64 seeds of specs/feedforward.yaml, 20 steps", FEEDFORWARD, 64, 1, 1.5, 0),
    Case("256 seeds of it", FEEDFORWARD, 256, 1, 4.0, 0),
    Case("64 seeds of it, 1000 steps", LONG, 64, 1, 1.5, 0),
    Case("256 seeds of it, 1000 steps", LONG, 256, 1, 4.0, 0),
    Case("32 seeds of 16-64-64-1, batch 128, mse, adam", SMALL, 32, 32, 0.25, 1),
    Case("8 seeds of 64-256-256-1, batch 256, mse, adam", WIDE, 8, 8, None),
)


def members_of(case: Case) -> list[Member]:
    """Return the members, which share their rows."""
    spec = ffspec.load(case.text)
    loaded = load_spec(spec)
    return [member_of(spec.model_copy(update={"seed": seed}), loaded) for seed in range(case.members)]


def together(case: Case) -> Callable[[], float]:
    """Return what trains the members as one network, chunk after chunk, and tells the seconds it took."""
    members = members_of(case)

    def run() -> float:
        setups = set_up_all(members)
        start = time.process_time()
        for indices in divided(members, range(len(members))):
            Chunk(courses_of(indices, [setups[index] for index in indices]), None).train()
        return time.process_time() - start

    return run


def plain(case: Case) -> Callable[[], float]:
    """Return the best plain loop, run as often as the case wants."""
    member = members_of(case)[0]
    plan, training = member.plan, member.spec.training
    (setup,) = set_up_all([member])
    batch = setup.splits["train"]
    rows = batch.rows
    size = rows if training.batch_size == "all" else int(training.batch_size)
    criterion: Any = getattr(nn, plan.loss.target.removeprefix("nn."))()
    kind: Any = getattr(torch.optim, plan.optimizer.target.removeprefix("optim."))

    def run() -> float:
        networks = [build_network(plan, seed=seed) for seed in range(case.loops)]
        start = time.process_time()
        for network in networks:
            optimizer = kind(network.parameters(), lr=member.spec.optimizer.lr, fused=True)  # type: ignore[attr-defined]
            for _ in range(plan.epochs):
                order = torch.randperm(rows) if size < rows else slice(None)
                for x, wanted in zip(
                    torch.split(batch.x[order], size), torch.split(batch.target[order], size), strict=True
                ):
                    optimizer.zero_grad()
                    criterion(network(x), wanted).backward()
                    optimizer.step()
        return time.process_time() - start

    return run


def compiled(case: Case) -> Callable[[], float] | None:
    """Return JAX's training of all members as one, in one compiled call; None where it is not installed."""
    if case.like is None or find_spec("jax") is None:
        return None
    epochs = members_of(case)[0].plan.epochs
    run = elsewhere("jax", CASES_OF_STEP[case.like], case.members)
    return lambda: run(epochs) or 0.0


def one_by_one(members: list[Member]) -> float:
    """Return the seconds of the members' runs one after another."""
    start = time.process_time()
    for index, member in enumerate(members):
        train_alone(index, member, None, None)
    return time.process_time() - start


def all_at_once(members: list[Member]) -> float:
    """Return the seconds of the members trained together, with all that belongs to it."""
    start = time.process_time()
    for _ in train_together(members):
        pass
    return time.process_time() - start


def main() -> int:
    """Print both tables."""
    count = repeats(__doc__)
    torch.set_num_threads(1)
    console = Console(width=120)
    table = Table(
        "members", "at once", "plain loops", "ms", "of theirs, ms", "ratio", "goal", "JAX", title="training alone"
    )
    missed = 0
    for case in CASES:
        ours, theirs, limit = together(case), plain(case), compiled(case) or (lambda: nan)
        ours(), theirs(), limit()  # warm up
        pairs = [(ours(), theirs()) for _ in range(count)]
        jax = statistics.median(limit() for _ in range(count)) * 1e3
        ratio = statistics.median(own / other for own, other in pairs)
        missed += case.goal is not None and ratio > case.goal
        own, other = (statistics.median(side) * 1e3 for side in zip(*pairs, strict=True))
        at_once = len(divided(members_of(case), range(case.members))[0])
        goal = "" if case.goal is None else f"{case.goal:g}"
        table.add_row(
            case.name,
            str(at_once),
            str(case.loops),
            f"{own:.1f}",
            f"{other:.1f}",
            f"{ratio:.2f}",
            goal,
            "" if isnan(jax) else f"{jax:.1f}",
        )
    console.print(table)
    whole = Table("members", "ms", "one after another, ms", "ratio", title="with set-up, and checks before and after")
    for case in (CASES[0], CASES[4]):
        members = members_of(case)
        pairs = [(all_at_once(members), one_by_one(members)) for _ in range(min(count, 3))]
        ratio = statistics.median(own / other for own, other in pairs)
        own, other = (statistics.median(side) * 1e3 for side in zip(*pairs, strict=True))
        whole.add_row(case.name, f"{own:.0f}", f"{other:.0f}", f"{ratio:.2f}")
    console.print(whole)
    console.print(machine())
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
