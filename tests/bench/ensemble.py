"""What an ensemble costs and brings: `python -m tests.bench.ensemble`, with `--quality` also what it is worth.

The CPU time of a step of M members as one network, beside M networks one after the other; and of the ways to multiply
stacks of matrices. The quality is the root mean squared error on test rows of a made task, over seeds. Ends with 1 if
an ensemble of small networks is not faster than its members one after the other.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch

import ffspec
from ffspec.runner.setup import set_up, trainer_of

MEMBERS = (1, 4, 8, 16)
SHAPES = (("3 x 256", 256, 3, 256), ("2 x 64", 64, 2, 128))
"""What it is called, the width, the hidden layers, the rows of a batch."""
STEPS = 40


def spec_of(width: int, depth: int, batch: int, members: int | None) -> str:
    """Return a regression of 20 features."""
    hidden = f"{{linear: {width}}}, relu, " * depth
    layers = f"{hidden}linear"
    if members is not None:
        layers = f"{{ensemble: {{members: {members}, layers: [{layers}]}}}}"
    return (
        f"dataset: {{friedman1: {{n_samples: {{train: {batch * STEPS}}}, n_features: 20}}}}\n"
        f"layers: [{layers}]\nloss: mse\noptimizer: {{adam: 0.001}}\ntraining: {{epochs: 1, batch_size: {batch}}}\n"
    )


def step_time(text: str) -> float:
    """Return the median CPU time of a step of the loop, in milliseconds."""
    spec = ffspec.load(text)
    from ffspec.data import load_spec
    from ffspec.planner import plan

    loaded = load_spec(spec)
    setup = set_up(spec, plan(spec, loaded.facts), loaded)
    times: list[float] = []

    class Clock:
        last = time.thread_time()

        def after_step(self, trainer: object) -> None:  # noqa: ARG002 - as a Keeper has it
            now = time.thread_time()
            times.append((now - self.last) * 1000)
            self.last = now

        def after_epoch(self, trainer: object) -> None:
            """Do nothing."""

    trainer_of(setup, keeper=Clock()).run(lambda row: None)  # noqa: ARG005
    return statistics.median(times[5:])


def products(members: int, rows: int, width: int) -> dict[str, float]:
    """Return the median time of a product and its gradients, said in three ways, in milliseconds."""
    x = torch.randn(members, rows, width, requires_grad=True)
    weight = torch.randn(members, width, width, requires_grad=True)
    bias = torch.randn(members, 1, width, requires_grad=True)
    ways: dict[str, Callable[[], torch.Tensor]] = {
        "baddbmm": lambda: torch.baddbmm(bias, x, weight.transpose(1, 2)),
        "matmul": lambda: torch.matmul(x, weight.transpose(1, 2)) + bias,
        "einsum": lambda: torch.einsum("mbi,moi->mbo", x, weight) + bias,
    }
    found = {}
    for name, way in ways.items():
        times = []
        for _ in range(30):
            start = time.thread_time()
            way().sum().backward()  # type: ignore[no-untyped-call]
            times.append((time.thread_time() - start) * 1000)
        found[name] = statistics.median(times[3:])
    return found


def cost() -> bool:
    """Print what a step costs; return whether small networks are faster together."""
    print(f"{'network':8} {'batch':>5} {'members':>7} {'ms/step':>8} {'ms apart':>8} {'speed-up':>8}")
    small = True
    for name, width, depth, batch in SHAPES:
        alone = min(step_time(spec_of(width, depth, batch, None)) for _ in range(3))
        print(f"{name:8} {batch:5} {'alone':>7} {alone:8.2f}")
        for members in MEMBERS:
            together = min(step_time(spec_of(width, depth, batch, members)) for _ in range(3))
            gain = members * alone / together
            print(f"{name:8} {batch:5} {members:7} {together:8.2f} {members * alone:8.2f} {gain:8.2f}")
            small = small and (width > 64 or members < 4 or gain > 1)
    print()
    for width, rows in ((256, 256), (64, 128)):
        for members in (4, 16):
            told = "  ".join(f"{name} {value:.2f} ms" for name, value in products(members, rows, width).items())
            print(f"a product of {members} x ({rows} x {width}) and its gradients: {told}")
    return small


NETWORK = "[{linear: 128}, relu, {linear: 128}, relu, linear]"
MODELS = {
    "one network": NETWORK,
    "8 members": f"[{{ensemble: {{members: 8, layers: {NETWORK}}}}}]",
    "TabM-mini, 8": f"[{{ensemble: {{members: 8, share: hidden, layers: {NETWORK}}}}}]",
    "TabM-mini, 32": f"[{{ensemble: {{members: 32, share: hidden, layers: {NETWORK}}}}}]",
}
TASK = (
    "{friedman1: {n_samples: 20000, n_features: 20, noise: 1.0, random_state: SEED}, "
    "split: {validation: 0.2, test: 0.2}, prepare: standardize}"
)


def quality(seeds: int) -> None:
    """Print the error of each model on test rows; with noise of deviation 1, no model can be below 1."""
    print(f"\n{'model':14} {'parameters':>10} {'test rmse':>16} {'epochs':>6} {'CPU s':>7}")
    for name, layers in MODELS.items():
        parameters = ""
        errors, epochs, start = [], [], time.thread_time()
        for seed in range(seeds):
            text = (
                f"seed: {seed}\ndataset: {TASK.replace('SEED', str(seed))}\nlayers: {layers}\nloss: mse\n"
                "optimizer: {adamw: {lr: 0.002, weight_decay: 0.0003}}\n"
                "training: {epochs: 200, batch_size: 256, early_stopping: {patience: 16}}\n"
            )
            result = ffspec.run(text)
            parameters = f"{result.plan.parameters:,}"
            errors.append(result.after["test"]["rmse"])
            epochs.append(len(result.history))
        seconds = (time.thread_time() - start) / seeds
        spread = statistics.stdev(errors) if seeds > 1 else 0.0
        told = f"{statistics.mean(errors):.4f} +- {spread:.4f}"
        print(f"{name:14} {parameters:>10} {told:>16} {statistics.mean(epochs):6.0f} {seconds:7.1f}", flush=True)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    faster = cost()
    if options.quality:
        quality(options.seeds)
    return 0 if faster else 1


if __name__ == "__main__":
    sys.exit(main())
