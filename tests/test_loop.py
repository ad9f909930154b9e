"""The loop against a plain one: ordinary torch optimizers and schedulers, indexing, and nothing clever, bit for bit."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim
from torch.optim import lr_scheduler

import ffspec
from ffspec.diagnostics import DivergedError
from ffspec.seeds import derive

ROOT = Path(__file__).parent.parent
SPEC = """\
seed: 3
dataset: {blobs: {n_samples: {train: 50, validation: 20, test: 10}, n_features: 4, centers: 3, cluster_std: 3.0}}
layers: [{linear: 8}, tanh, {dropout: 0.2}, {linear: 8}, relu, linear]
loss: cross_entropy
"""

Plain = Callable[[list[nn.Parameter]], optim.Optimizer]


def spec_of(optimizer: str, training: str, scheduler: str = "") -> str:
    lines = f"{SPEC}optimizer: {optimizer}\ntraining: {{{training}}}\n"
    return lines + (f"scheduler: {scheduler}\n" if scheduler else "")


def reference(  # noqa: PLR0913 - everything a loop can be asked for, in one plain place
    text: str,
    make: Plain,
    *,
    size: int = 16,
    epochs: int = 3,
    per_step: Callable[[optim.Optimizer], Any] | None = None,
    per_epoch: Callable[[optim.Optimizer], Any] | None = None,
    clip: Callable[[list[nn.Parameter]], Any] | None = None,
    drop_last: bool = False,
    shuffle: bool = True,
    only: slice = slice(None),
) -> tuple[nn.Sequential, list[dict[str, float]]]:
    """Train as a tutorial would; return the network, and the learning rate and mean loss of every epoch."""
    spec = ffspec.load(text)
    data = ffspec.run(text, overrides=["training.epochs=0"]).data.splits
    x, y = torch.from_numpy(data["train"].x).float(), torch.from_numpy(data["train"].y)
    network, rows = ffspec.build(spec), len(x)
    parameters = list(network.parameters())[only]
    optimizer = make(parameters)
    stepped = per_step(optimizer) if per_step else None
    epoched = per_epoch(optimizer) if per_epoch else None
    order = torch.Generator().manual_seed(derive(spec.seed, "shuffle"))
    torch.manual_seed(derive(spec.seed, "dropout"))
    history = []
    for _ in range(epochs):
        chosen = torch.randperm(rows, generator=order) if shuffle and size < rows else torch.arange(rows)
        lr, total, seen = optimizer.param_groups[0]["lr"], 0.0, 0
        for start in range(0, rows, size):
            batch = chosen[start : start + size]
            if drop_last and len(batch) < size:
                continue
            first: list[float] = []

            def closure(batch: Tensor = batch, first: list[float] = first) -> Tensor:
                optimizer.zero_grad()
                loss: Tensor = nn.functional.cross_entropy(network(x[batch]), y[batch])
                loss.backward()  # type: ignore[no-untyped-call]
                if clip is not None:
                    clip(parameters)
                first.append(float(loss.detach()))
                return loss

            optimizer.step(closure)  # type: ignore[arg-type]
            if stepped is not None:
                stepped.step()
            total, seen = total + first[0] * len(batch), seen + len(batch)
        history.append({"lr": lr, "loss": total / seen})
        if isinstance(epoched, lr_scheduler.ReduceLROnPlateau):
            network.eval()
            held = torch.from_numpy(data["validation"].x).float()
            with torch.no_grad():
                epoched.step(nn.functional.cross_entropy(network(held), torch.from_numpy(data["validation"].y)))
            network.train()
        elif epoched is not None:
            epoched.step()
    return network, history


def assert_same(result: ffspec.Result, expected: tuple[nn.Sequential, list[dict[str, float]]]) -> None:
    network, history = expected
    for ours, theirs in zip(result.model.state_dict().values(), network.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert [(row["lr"], row["loss"]) for row in result.history] == [(row["lr"], row["loss"]) for row in history]


OPTIMIZERS: dict[str, tuple[str, Plain]] = {
    "sgd": (
        "{sgd: {lr: 0.05, momentum: 0.9, nesterov: true}}",
        lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, fused=True),
    ),
    "adam": ("{adam: {lr: 0.01, amsgrad: true}}", lambda p: optim.Adam(p, lr=0.01, amsgrad=True, fused=True)),
    "adamw": (
        "{adamw: {lr: 0.01, weight_decay: 0.1}}",
        lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1, fused=True),
    ),
    "adagrad": ("{adagrad: {lr: 0.05, lr_decay: 0.1}}", lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.1, fused=True)),
    "nadam": ("{nadam: 0.01}", lambda p: optim.NAdam(p, lr=0.01)),
    "radam": ("{radam: 0.01}", lambda p: optim.RAdam(p, lr=0.01)),
    "rmsprop": (
        "{rmsprop: {lr: 0.01, centered: true, momentum: 0.5}}",
        lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    ),
    "adadelta": ("{adadelta: 0.5}", lambda p: optim.Adadelta(p, lr=0.5)),
    "adamax": ("{adamax: 0.01}", lambda p: optim.Adamax(p, lr=0.01)),
    "asgd": ("{asgd: {lr: 0.05, t0: 1}}", lambda p: optim.ASGD(p, lr=0.05, t0=1)),
    "rprop": ("{rprop: 0.01}", lambda p: optim.Rprop(p, lr=0.01)),
    "adafactor": ("{adafactor: 0.05}", lambda p: optim.Adafactor(p, lr=0.05)),
    "lbfgs": (
        "{lbfgs: {lr: 0.5, max_iter: 3, line_search_fn: strong_wolfe}}",
        lambda p: optim.LBFGS(p, lr=0.5, max_iter=3, history_size=100, line_search_fn="strong_wolfe"),
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_takes_torchs_steps(name: str) -> None:
    written, make = OPTIMIZERS[name]
    text = spec_of(written, "epochs: 3, batch_size: 16")
    assert_same(ffspec.run(text), reference(text, make))


class Both(optim.Optimizer):
    """Muon for the weight in the middle, AdamW for all else."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        middle = parameters[2:3]
        others = parameters[:2] + parameters[3:]
        self.inner = (
            optim.Muon(middle, lr=0.02, weight_decay=0.1, momentum=0.9),
            optim.AdamW(others, lr=0.005, fused=True),
        )
        super().__init__(parameters, {"lr": 0.02})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        with torch.enable_grad():
            closure()
        for optimizer in self.inner:
            optimizer.step()  # type: ignore[no-untyped-call]


def test_muon_takes_the_hidden_weights_and_adamw_the_rest() -> None:
    text = spec_of("{muon: {lr: 0.02, momentum: 0.9, adamw_lr: 0.005}}", "epochs: 3, batch_size: 16")
    assert_same(ffspec.run(text), reference(text, Both))


def sgd(parameters: list[nn.Parameter]) -> optim.Optimizer:
    return optim.SGD(parameters, lr=0.1, momentum=0.9, fused=True)


SCHEDULES: dict[str, tuple[str, dict[str, Any]]] = {
    "constant": ("{constant: {total_iters: 2}}", {"per_epoch": lambda o: lr_scheduler.ConstantLR(o, 1 / 3, 2)}),
    "linear": ("linear", {"per_epoch": lambda o: lr_scheduler.LinearLR(o, 1 / 3, 1.0, 6)}),
    "step": ("{step: {step_size: 2, gamma: 0.5}}", {"per_epoch": lambda o: lr_scheduler.StepLR(o, 2, 0.5)}),
    "multi_step": ("{multi_step: [2, 3]}", {"per_epoch": lambda o: lr_scheduler.MultiStepLR(o, [2, 3])}),
    "exponential": ("{exponential: 0.5}", {"per_epoch": lambda o: lr_scheduler.ExponentialLR(o, 0.5)}),
    "cosine_annealing": ("cosine_annealing", {"per_epoch": lambda o: lr_scheduler.CosineAnnealingLR(o, 6)}),
    "cosine_by_steps": (
        "{cosine_annealing: {interval: step, eta_min: 0.01}}",
        {"per_step": lambda o: lr_scheduler.CosineAnnealingLR(o, 24, 0.01)},
    ),
    "cosine_annealing_warm_restarts": (
        "{cosine_annealing_warm_restarts: {T_0: 3, T_mult: 2, interval: step}}",
        {"per_step": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2)},
    ),
    "polynomial": ("{polynomial: {power: 2}}", {"per_epoch": lambda o: lr_scheduler.PolynomialLR(o, 6, 2.0)}),
    "one_cycle": ("{one_cycle: 0.3}", {"per_step": lambda o: lr_scheduler.OneCycleLR(o, 0.3, 24)}),
    "reduce_on_plateau": (
        "{reduce_on_plateau: {patience: 0, threshold: 0.1, factor: 0.5}}",
        {"per_epoch": lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=0, threshold=0.1)},
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_torchs(name: str) -> None:
    written, parts = SCHEDULES[name]
    text = spec_of("{sgd: {lr: 0.1, momentum: 0.9}}", "epochs: 6, batch_size: 13", written)
    result = ffspec.run(text)
    assert len({row["lr"] for row in result.history}) > 1
    assert_same(result, reference(text, sgd, size=13, epochs=6, **parts))


TRAININGS: dict[str, tuple[str, dict[str, Any]]] = {
    "all": ("batch_size: all", {"size": 50}),
    "more than there are": ("batch_size: 1000", {"size": 1000}),
    "in order": ("batch_size: 16, shuffle: false", {"shuffle": False}),
    "drop_last": ("batch_size: 16, drop_last: true", {"drop_last": True}),
    "clip_grad_norm": (
        "batch_size: 16, clip_grad_norm: 0.1",
        {"clip": lambda p: nn.utils.clip_grad_norm_(p, 0.1)},
    ),
    "clip_grad_value": (
        "batch_size: 16, clip_grad_value: 0.01",
        {"clip": lambda p: nn.utils.clip_grad_value_(p, 0.01)},
    ),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_the_settings_of_the_loop(name: str) -> None:
    written, parts = TRAININGS[name]
    text = spec_of("{sgd: {lr: 0.1, momentum: 0.9}}", f"epochs: 3, {written}")
    assert_same(ffspec.run(text), reference(text, sgd, **parts))


def test_a_run_takes_as_many_steps_as_were_planned() -> None:
    for written, steps in (("batch_size: 16", 4), ("batch_size: 16, drop_last: true", 3), ("batch_size: all", 1)):
        text = spec_of("{sgd: 0.1}", f"epochs: 2, {written}", "{step: {step_size: 1, gamma: 0.5, interval: step}}")
        assert ffspec.plan(text).steps_per_epoch == steps
        assert ffspec.run(text).history[1]["lr"] == pytest.approx(0.1 * 0.5**steps)


def test_the_order_of_rows_has_a_stream_of_its_own() -> None:
    text = spec_of("{sgd: 0.1}", "epochs: 1, batch_size: 16")
    dry = text.replace("{dropout: 0.2}, ", "")
    torch.manual_seed(0)
    first = ffspec.run(dry)
    torch.manual_seed(1)
    assert ffspec.run(dry).history == first.history
    assert ffspec.run(dry.replace("relu, linear", "relu, linear, {dropout: 0.0}")).history == first.history


def test_early_stopping_stops_and_goes_back_to_the_best_weights() -> None:
    text = spec_of("{sgd: 5.0}", "epochs: 200, batch_size: 16, early_stopping: {patience: 3}")
    result = ffspec.run(text)
    losses = [float(row["validation.loss"]) for row in result.history]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 4 < 200
    assert result.after["validation"]["loss"] == min(losses)
    shorter = ffspec.run(spec_of("{sgd: 5.0}", f"epochs: {best + 1}, batch_size: 16"))
    for ours, theirs in zip(result.model.parameters(), shorter.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_early_stopping_by_a_measure_that_grows_and_by_the_least_change() -> None:
    stopping = "early_stopping: {monitor: validation.accuracy, patience: 2, min_delta: 0.9}"
    result = ffspec.run(spec_of("{adam: 0.01}", f"epochs: 50, batch_size: 16, {stopping}"))
    assert len(result.history) == 1 + 3
    assert result.after["validation"]["accuracy"] == result.history[0]["validation.accuracy"]


def test_early_stopping_by_a_measure_that_is_undefined_stops() -> None:
    stopping = "early_stopping: {monitor: validation.roc_auc, patience: 1}"
    text = spec_of("{adam: 0.01}", f"epochs: 50, batch_size: 16, {stopping}").replace("validation: 20", "validation: 1")
    assert len(ffspec.run(text).history) == 2


def test_an_rms_norm_in_bf16_is_no_reason_to_warn() -> None:
    text = spec_of("{adam: 0.01}", "epochs: 1, precision: bf16").replace("tanh", "rms_norm")
    assert len(ffspec.run(text).history) == 1


def test_precision() -> None:
    kinds, first = {}, [0.0]
    for precision in ("float32", "float64", "bf16"):
        result = ffspec.run(spec_of("{adam: 0.01}", f"epochs: 3, batch_size: 16, precision: {precision}"))
        kinds[precision] = {parameter.dtype for parameter in result.model.parameters()}
        losses = [float(row["loss"]) for row in result.history]
        if precision == "float32":
            first = losses
        assert losses == pytest.approx(first, rel=1e-5 if precision == "float64" else 0.05)
        assert (losses == first) == (precision == "float32")
    assert kinds == {"float32": {torch.float32}, "float64": {torch.float64}, "bf16": {torch.float32}}


STEEP = "layers: [{linear: 8}, {leaky_relu: 1000000}, {linear: 8}, {leaky_relu: 1000000}, linear]"
STILL = "layers: [linear, heaviside]"
DIVERGING = {
    "loss": (STEEP, "{sgd: 1e12}", "epochs: 9, batch_size: 16", "", r"the training loss is (nan|inf) in epoch 1, "),
    "output": (STEEP, "{sgd: 1e12}", "epochs: 9, batch_size: all", "", "the network's output on the validation split"),
    "rate": (
        STILL,
        "{sgd: 1.0}",
        "epochs: 99, batch_size: all",
        "{exponential: 1e6}",
        "epoch 53, with learning rate inf",
    ),
}


@pytest.mark.parametrize("name", DIVERGING)
def test_a_training_that_diverges_stops_and_leaves_no_number_that_is_not_finite(name: str, tmp_path: Path) -> None:
    layers, optimizer, training, scheduler, message = DIVERGING[name]
    lines = spec_of(optimizer, training, scheduler).splitlines()
    text = "\n".join(layers if line.startswith("layers:") else line for line in lines)
    with pytest.raises(DivergedError, match=message):
        ffspec.run(text, out=tmp_path, allow=["FF107", "FF121"])
    (directory,) = tmp_path.glob("*/001")
    assert json.loads((directory / "status.json").read_text())["status"] == "diverged"
    assert not (directory / "model.safetensors").exists()
    history = (directory / "history.jsonl").read_text()
    assert "NaN" not in history
    assert "Infinity" not in history


CHILD = """
import copy, inspect, sys, torch
import ffspec
from ffspec.builder.optimizer import build_optimizers
from ffspec.spec.optimizers import OPTIMIZERS
ffspec.run(sys.stdin.read())
for kind in OPTIMIZERS:
    network = torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(3)))
    for optimizer in build_optimizers(kind(), network):
        network(torch.ones(2, 3)).sum().backward()
        optimizer.step(*[lambda: network(torch.ones(2, 3)).sum()] if kind.name == "lbfgs" else [])
assert "torch._dynamo" not in sys.modules
assert not hasattr(inspect.unwrap(torch.optim.Optimizer.add_param_group), "__dynamo_disable")
parameter = torch.nn.Parameter(torch.ones(2))
ours = torch.optim.Adam([parameter])
parameter.grad = torch.ones(2)
ours.step(); ours.zero_grad(); copy.deepcopy(ours)
assert "torch._dynamo" in sys.modules
assert "step" not in vars(ours)
assert hasattr(inspect.unwrap(torch.optim.Optimizer.add_param_group), "__dynamo_disable")
print("done")
"""


def test_training_imports_no_compiler_and_leaves_torchs_optimizers_to_the_caller() -> None:
    text = spec_of("{adam: 0.01}", "epochs: 1, batch_size: 16", "{one_cycle: 0.1}")
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD], input=text, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert child.stdout == "done\n", child.stderr


def test_a_network_can_be_trained_on_with_torch_alone_afterwards() -> None:
    model = copy.deepcopy(ffspec.run(spec_of("{adam: 0.01}", "epochs: 1, batch_size: 16")).model).train()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    model(torch.ones(4, 4)).sum().backward()
    optimizer.step()
    assert all(not torch.equal(one, other) for one, other in zip(before[-1:], [*model.parameters()][-1:], strict=True))
