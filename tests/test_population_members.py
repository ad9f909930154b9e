"""The law of a population: each member is its single run, to 1e-5 after a hundred float32 steps."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

import ffspec
from ffspec import populations
from ffspec.data import load_spec
from ffspec.runner.population import Member, Trained, member_of, train_together
from ffspec.runner.population.alone import train_alone

CLASSES = "{classification: {n_samples: 100, n_features: 6, n_informative: 5, n_redundant: 0, n_classes: 3}"
NUMBERS = "{regression: {n_samples: 100, n_features: 6, n_targets: 2, noise: 1.0, random_state: 1}"
HEADS = {
    "cross_entropy": CLASSES,
    "multi_margin": CLASSES,
    "multi_label_soft_margin": CLASSES,
    "mse": NUMBERS,
}


@pytest.fixture(autouse=True)
def _few_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few members be one network, though that is no faster."""
    monkeypatch.setattr(populations, "LEAST", 2)


def text(layers: str = "[{linear: 8}, relu, linear]", loss: str = "cross_entropy", data: str = CLASSES) -> str:
    """Return a spec whose training takes a hundred steps: twenty epochs of five, the last one smaller."""
    return f"""\
dataset: {data}, split: {{validation: 0.1, test: 0.1}}, prepare: standardize}}
layers: {layers}
loss: {loss}
optimizer: {{sgd: {{lr: 0.05, momentum: 0.9}}}}
training: {{epochs: 20, batch_size: 18}}
"""


def members(written: str, *changes: tuple[str, ...], outside: bool = False) -> list[Member]:
    made = []
    for change in changes or ((), ("seed=1",), ("seed=2",)):
        spec = ffspec.load(written, overrides=change, allow=["FF110"])
        made.append(member_of(spec, load_spec(spec, allow_outside=outside)))
    return made


def distance(one: Trained, other: Trained) -> float:
    """Return the largest relative distance of a parameter or buffer; zero, but for rounding, is no scale."""
    states = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    return max(
        (float((a - b).norm() / b.norm().clamp(min=1e-2)) for a, b in states if a.is_floating_point()), default=0
    )


def check(found: list[Member]) -> None:
    """Assert that members trained together are what they are alone."""
    together = [*train_together(found)]
    assert [one.together for one in together] == [len(found)] * len(found)
    for index, one in enumerate(together):
        alone = train_alone(index, found[index], None, None)
        assert distance(one, alone) <= 1e-5
        assert len(one.history) == len(alone.history)
        for side in ("before", "after"):
            for split, measures in getattr(alone, side).items():
                assert getattr(one, side)[split] == pytest.approx(measures, rel=1e-4, abs=1e-5)
        for row, expected in zip(one.history, alone.history, strict=True):
            assert row == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        "relu", "leaky_relu", "prelu", "{elu: 0.5}", "selu", "{celu: 0.7}", "gelu", "{gelu: {approximate: tanh}}",
        "silu", "mish", "sigmoid", "tanh", "softplus", "softsign", "hardtanh", "hardsigmoid",
        "hardswish", "relu6", "logsigmoid", "softshrink",
        "hardshrink",
        "tanhshrink", "softmax", "softmin", "log_softmax", "{threshold: {threshold: 0.1, value: 0}}",
        "{heaviside: straight_through}", "glu", "identity", "batch_norm", "{batch_norm: {momentum: null}}",
        "{batch_norm: {affine: false}}", "layer_norm", "rms_norm", "scale", "{parametric: tanh}", "{dropout: 0.3}",
        "{alpha_dropout: 0.3}", "rrelu",
        "{rrelu: {lower: 0.2, upper: 0.6}}",
        "{residual: [{linear: 8}, tanh, {linear: 8}]}", "{residual: [{dropout: 0.2}, tanh]}",
        "{linear: {out_features: 8, parametrization: ntk}}", "{linear: {out_features: 8, bias: false}}",
        "{linear: {out_features: 8, bias: false, parametrization: ntk}}",
    ],
)  # fmt: skip
def test_layers(layer: str) -> None:
    check(members(text(f"[{{linear: 8}}, {layer}, linear]")))


@pytest.mark.parametrize("first", ["{dropout: 0.1}", "scale", "tanh", "batch_norm", "{residual: [{linear: 6}, tanh]}"])
@pytest.mark.parametrize("batch", ["18", "all"])
def test_first_layers(first: str, batch: str) -> None:
    written = text(f"[{first}, {{linear: 8}}, tanh, linear]").replace("batch_size: 18", f"batch_size: {batch}")
    check(members(written))


LOSSES = [
    ("[{linear: 8}, tanh, linear]", "cross_entropy", CLASSES),
    ("[{linear: 8}, tanh, linear]", "{cross_entropy: {label_smoothing: 0.1, weight: [1, 2, 3]}}", CLASSES),
    ("[{linear: 8}, tanh, linear, log_softmax]", "nll", CLASSES),
    ("[{linear: 8}, tanh, linear, log_softmax]", "{nll: {weight: [1, 2, 3]}}", CLASSES),
    ("[{linear: 8}, tanh, linear]", "{multi_margin: {p: 2, weight: [1, 2, 3]}}", CLASSES),
    ("[{linear: 8}, tanh, linear, temperature]", "cross_entropy", CLASSES),
    ("[{linear: 8}, tanh, linear]", "multi_label_soft_margin", CLASSES),
    ("[{linear: 8}, tanh, linear, sigmoid]", "bce", CLASSES.replace("3}", "2}")),
    ("[{linear: 8}, tanh, linear]", "bce_with_logits", CLASSES.replace("3}", "2}")),
    ("[{linear: 8}, tanh, linear]", "{bce_with_logits: {pos_weight: 2}}", CLASSES.replace("3}", "2}")),
    ("[{linear: 8}, tanh, linear]", "soft_margin", CLASSES.replace("3}", "2}")),
    ("[{linear: 8}, tanh, linear]", "hinge_embedding", CLASSES.replace("3}", "2}")),
    ("[{linear: 8}, tanh, linear]", "perceptron", CLASSES.replace("3}", "2}")),
    ("[{linear: 8}, tanh, {linear: 2}, tanh]", "mse", NUMBERS),
    ("[{linear: 8}, tanh, linear, target_scale]", "mse", NUMBERS),
    ("[{linear: 8}, tanh, linear, target_scale]", "l1", NUMBERS),
    ("[{linear: 8}, tanh, linear, target_scale]", "huber", NUMBERS),
    ("[{linear: 8}, tanh, linear, target_scale]", "smooth_l1", NUMBERS),
]


@pytest.mark.parametrize(("layers", "loss", "data"), LOSSES)
def test_losses(layers: str, loss: str, data: str) -> None:
    written = text(layers, loss, data)
    check(members(written if "target_scale" in layers or data != NUMBERS else written.replace("0.05", "1.0e-5")))


ALIKE = ((), ("seed=1",), ("seed=2",))
OPTIMIZERS = [
    ("{sgd: {lr: 0.1}}", "sgd", ("lr=0.05", "weight_decay=0.01", "momentum=0.5")),
    ("{sgd: {lr: 0.1, momentum: 0.9, dampening: 0.1, weight_decay: 0.01}}", "sgd", ("dampening=0.3", "momentum=0.0")),
    ("{sgd: {lr: 0.1, momentum: 0.9, nesterov: true}}", "sgd", ("lr=0.05", "momentum=0.5")),
    ("{adam: {lr: 0.01, weight_decay: 0.01}}", "adam", ("lr=0.02", "betas=[0.5, 0.9]", "eps=0.001", "weight_decay=0")),
    ("{adam: {lr: 0.01, amsgrad: true}}", "adam", ("lr=0.02", "betas=[0.5, 0.9]")),
    ("{adamw: {lr: 0.01, weight_decay: 0.1}}", "adamw", ("lr=0.02", "weight_decay=0.01", "betas=[0.5, 0.9]")),
    ("{rmsprop: {lr: 0.002}}", "rmsprop", ("lr=0.001", "alpha=0.9", "momentum=0.5", "weight_decay=0.01")),
    ("{rmsprop: {lr: 0.002, centered: true, momentum: 0.5}}", "rmsprop", ("lr=0.001", "alpha=0.9", "eps=0.001")),
    (
        "{nadam: {lr: 0.01, weight_decay: 0.01}}",
        "nadam",
        ("lr=0.02", "betas=[0.5, 0.9]", "momentum_decay=0.1", "eps=0.001"),
    ),
    ("{nadam: {lr: 0.01, weight_decay: 0.1, decoupled_weight_decay: true}}", "nadam", ("lr=0.02", "weight_decay=0")),
    (
        "{radam: {lr: 0.01, weight_decay: 0.01}}",
        "radam",
        ("lr=0.02", "betas=[0.5, 0.9]", "betas=[0.9, 0.99]", "eps=0.001"),
    ),
    ("{radam: {lr: 0.01, weight_decay: 0.1, decoupled_weight_decay: true}}", "radam", ("lr=0.02", "weight_decay=0")),
    (
        "{adamax: {lr: 0.01, weight_decay: 0.01}}",
        "adamax",
        ("lr=0.02", "betas=[0.5, 0.9]", "eps=0.001", "weight_decay=0"),
    ),
    ("{adadelta: {lr: 1.0, weight_decay: 0.01}}", "adadelta", ("lr=0.5", "rho=0.5", "eps=0.001", "weight_decay=0")),
    ("{asgd: {lr: 0.05, weight_decay: 0.01}}", "asgd", ("lr=0.02", "lambd=0.1", "alpha=0.5", "weight_decay=0")),
    ("{rprop: {lr: 0.001}}", "rprop", ("lr=0.002", "etas=[0.3, 1.1]", "step_sizes=[0.0001, 0.01]")),
    ("{adagrad: {lr: 0.02}}", "adagrad", ("lr=0.01", "lr_decay=0.1", "initial_accumulator_value=0.1")),
]


@pytest.mark.parametrize(("optimizer", "name", "others"), OPTIMIZERS)
def test_optimizers(optimizer: str, name: str, others: tuple[str, ...]) -> None:
    written = text("[{linear: 8}, tanh, linear]").replace("{sgd: {lr: 0.05, momentum: 0.9}}", optimizer)
    check(members(written, *ALIKE))
    check(members(written, (), *((f"optimizer.{name}.{other}",) for other in others)))


GROUPS = (
    "groups=[{parameters: bias, lr: 0.1, weight_decay: 0}, {layers: linear, lr: 2}]",
    "groups=[{parameters: bias, lr: 10, weight_decay: 2}, {layers: linear, lr: 0.5}]",
    "groups=[{parameters: bias, lr: 1, weight_decay: 1}, {layers: linear, lr: 0}]",
)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "nadam", "asgd", "adagrad"])
def test_groups_of_parameters(optimizer: str) -> None:
    # In front of a batch_norm a bias has no gradient but rounding, which adam makes steps of.
    written = text("[{linear: {out_features: 8, bias: false}}, batch_norm, tanh, {residual: [{linear: 8}]}, linear]")
    written = written.replace("{sgd: {lr: 0.05, momentum: 0.9}}", f"{{{optimizer}: {{lr: 0.01, weight_decay: 0.1}}}}")
    first, *others = (f"optimizer.{optimizer}.{groups}" for groups in GROUPS)
    check(members(written, *((first, *change) for change in ALIKE)))
    check(members(written, (first,), *((other,) for other in others), (first, f"optimizer.{optimizer}.lr=0.02")))
    changing = ("training.schedules={weight_decay: cosine}", "scheduler={one_cycle: {max_lr: 0.05}}")
    check(members(written, *((first, *changing, *change) for change in ALIKE)))


@pytest.mark.parametrize("optimizer", ["nadam", "asgd", "rprop", "radam"])
def test_what_an_optimizer_remembers_of_each_stays_with_it_when_others_end(optimizer: str) -> None:
    written = text("[{linear: 8}, tanh, linear]").replace("{sgd: {lr: 0.05, momentum: 0.9}}", optimizer)
    lr = f"optimizer.{optimizer}.lr"
    for left in (f"{lr}=0.003", f"{lr}=0.002"):
        check(members(written, (f"{lr}=0.001", "training.epochs=5"), (f"{lr}=0.002",), (left, "seed=1")))


SCHEDULERS = [
    "{constant: {}}", "{linear: {}}", "{step: 3}", "{multi_step: [3, 5]}", "{exponential: 0.9}",
    "{cosine_annealing: {}}",
    "{cosine_annealing_warm_restarts: 4}", "{one_cycle: {max_lr: 0.1}}", "{one_cycle: {max_lr: 0.1, interval: epoch}}",
    "{polynomial: {}}", "{flat_cos: {}}", "{coslog4: {}}", "{reduce_on_plateau: {patience: 1}}",
    "{warmup: {total_iters: 7, interval: step, then: {step: 4}}}",
]  # fmt: skip


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_schedulers(scheduler: str) -> None:
    written = text("[{linear: 8}, tanh, linear]") + f"scheduler: {scheduler}\n"
    check(members(written, (), ("seed=1",), ("seed=2",), ("optimizer.sgd.lr=0.02",), ("training.epochs=4",)))


TRAININGS = [
    ("clip_grad_norm=0.5",),
    ("clip_grad_value=0.05",),
    ("ema=0.9",),
    ("ema=0.9", "early_stopping={patience: 1}"),
    ("early_stopping={patience: 0, monitor: validation.accuracy}",),
    ("drop_last=true",),
    ("shuffle=false",),
    ("batch_size=all",),
    ("max_steps=12",),
    ("precision=float64",),
    ("schedules={weight_decay: cosine, dropout: flat_cos}",),
    ("epochs=0",),
    ("threshold=balanced_accuracy",),
    ("refit=true", "early_stopping={patience: 2}"),
]


@pytest.mark.parametrize("settings", TRAININGS)
def test_loops(settings: tuple[str, ...]) -> None:
    written = text(
        "[{linear: 8}, {batch_norm: {}}, tanh, {dropout: 0.2}, linear]", "bce_with_logits", CLASSES.replace("3}", "2}")
    )
    written = written.replace("momentum: 0.9", "weight_decay: 0.01")
    common = tuple(f"training.{item}" for item in settings)
    others = (("optimizer.sgd.lr=0.1",), ("layers.3.dropout.p=0",), ("training.epochs=3",), ("training.epochs=9",))
    check(members(written, common, *((*common, *other) for other in others)))


@pytest.mark.parametrize("settings", ["clip_grad_norm", "clip_grad_value", "ema"])
def test_loops_whose_numbers_differ(settings: str) -> None:
    check(members(text(), *((f"training.{settings}={value}",) for value in (0.9, 0.1, 0.02))))


FOLDS = [f"dataset.split={{validation: 0.1, folds: 4, fold: {fold}}}" for fold in (1, 2, 3)]
"""Every fold has rows of its own."""


@pytest.mark.parametrize(
    "layer",
    [
        "periodic", "{periodic: {variant: plr}}", "{piecewise_linear: 4}", "scale, {piecewise_linear: 3}",
        "scale, {dropout: 0.1}, {piecewise_linear: {skip: true, activation: relu}}",
        "{piecewise_linear: {activation: relu, skip: true, d_embedding: 3}}",
    ],
)  # fmt: skip
def test_embeddings(layer: str) -> None:
    written = text(f"[{layer}, {{linear: 8}}, relu, linear]")
    check(members(written))
    check(members(written, *((fold,) for fold in FOLDS)))


@pytest.mark.parametrize("front", ["embedding", "{piecewise_linear: 3}, embedding", "scale, {piecewise_linear: 3}"])
def test_columns_of_codes(front: str, tmp_path: Path) -> None:
    drawn = random.Random(1)  # noqa: S311 - a test must be repeatable
    lines = ["a,b,c,y"]
    for _ in range(100):
        a, b, c = drawn.gauss(0, 1), drawn.gauss(0, 1), drawn.choice("uvw")
        lines.append(f"{a},{b},{c},c{int(a > 0) + int(b * (c != 'u') > 0)}")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    source = f"{{csv: {{path: {tmp_path / 'rows.csv'}, target: y}}"
    written = text(f"[{front}, {{linear: 8}}, tanh, linear]", data=source)
    written = written.replace("prepare: standardize", "prepare: {scale: standardize, categories: codes}")
    check(members(written, outside=True))
    check(members(written, *((fold,) for fold in FOLDS), outside=True))


RIDGES = [
    "[{residual: {shortcut: ridge, layers: [{linear: 8}, tanh, linear]}}]",
    "[{residual: {shortcut: ridge, layers: [{piecewise_linear: 4}, {linear: 8}, tanh, linear]}}, target_scale]",
]


@pytest.mark.parametrize("layers", RIDGES)
def test_ridge_regressions(layers: str) -> None:
    written = text(layers, "mse", NUMBERS)
    written = written if "target_scale" in layers else written.replace("0.05", "1.0e-5")
    check(members(written))
    check(members(written, *((fold,) for fold in FOLDS)))


ENSEMBLES = [
    "[{ensemble: {members: 3, layers: [{linear: 8}, tanh, linear]}}]",
    "[scale, {linear: 5}, {dropout: 0.1}, {ensemble: {members: 3, layers: [{linear: 8}, relu, linear]}}]",
    "[{ensemble: {members: 3, layers: [{dropout: 0.2}, {linear: 8}, {dropout: 0.2}, rrelu, linear]}}]",
    "[{ensemble: {members: 3, layers: [{linear: {out_features: 8, bias: false}}, batch_norm, tanh, linear]}}]",
    "[{ensemble: {members: 3, layers: [{piecewise_linear: 4}, prelu, {residual: [{linear: 24}]}, linear]}}]",
    "[{ensemble: {members: 3, layers: [layer_norm, {linear: 8, parametrization: ntk}, tanh, linear]}}]",
    "[{ensemble: {members: 3, share: hidden, layers: [{linear: 8}, tanh, {linear: 6}, relu, linear]}}]",
    "[tanh, {ensemble: {members: 3, share: hidden, layers: [{linear: 8}, batch_norm, {dropout: 0.2}, tanh, linear]}}]",
]


@pytest.mark.parametrize("layers", ENSEMBLES)
def test_ensembles(layers: str) -> None:
    layers = layers.replace("{linear: 8, parametrization: ntk}", "{linear: {out_features: 8, parametrization: ntk}}")
    check(members(text(layers)))
    check(members(text(layers), *((fold,) for fold in FOLDS)))
    if "dropout" not in layers:
        settings = ("training.ema=0.9", "training.early_stopping={patience: 2}", "training.clip_grad_value=0.1")
        check(members(text(layers), *((*settings, *change) for change in ALIKE)))


@pytest.mark.parametrize("share", ["", "share: hidden, "])
@pytest.mark.parametrize(
    ("loss", "data"),
    [
        ("{cross_entropy: {weight: [1, 2, 3]}}", CLASSES),
        ("bce_with_logits", CLASSES.replace("3}", "2}")),
        ("mse", NUMBERS),
        ("huber", NUMBERS),
    ],
)
def test_losses_of_ensembles(share: str, loss: str, data: str) -> None:
    behind = ", target_scale" if data == NUMBERS else ""
    written = text(f"[{{ensemble: {{members: 3, {share}layers: [{{linear: 8}}, tanh, linear]}}}}{behind}]", loss, data)
    check(members(written.replace("{sgd: {lr: 0.05, momentum: 0.9}}", "{adamw: 0.01}")))


def test_rows_that_differ() -> None:
    for batch in ("18", "all"):
        check(members(text(), *((f"training.batch_size={batch}", fold) for fold in FOLDS)))


@pytest.mark.parametrize(
    ("layers", "loss"),
    [
        ("[{linear: 8}, tanh, linear]", "cross_entropy"),
        ("[{linear: 8}, tanh, linear]", "{cross_entropy: {weight: [1, 2, 3], label_smoothing: 0.1}}"),
        ("[{linear: 8}, tanh, linear, log_softmax]", "{nll: {weight: [3, 1, 2]}}"),
        ("[{linear: 8}, tanh, linear]", "multi_margin"),
        ("[{linear: 8}, tanh, linear, target_scale]", "mse"),
        ("[{linear: 8}, tanh, linear, target_scale]", "huber"),
        ("[{piecewise_linear: 4}, {linear: 8}, tanh, linear]", "l1"),
        ("[{residual: {shortcut: ridge, layers: [{linear: 8}, tanh, linear]}}, target_scale]", "mse"),
    ],
)
def test_rows_with_weights(layers: str, loss: str, tmp_path: Path) -> None:
    """Some weigh nothing, and those of the first batch nothing at all."""
    drawn, numbers = random.Random(1), loss in {"mse", "huber", "l1"}  # noqa: S311 - a test must be repeatable
    lines = ["a,b,c,y,w"]
    for row in range(100):
        values = [drawn.gauss(0, 1) for _ in range(3)]
        y = values[0] - values[1] if numbers else f"c{int(abs(values[0]) > 0.5) + int(values[1] > 0)}"
        lines.append(f"{values[0]},{values[1]},{values[2]},{y},{0 if row < 18 else drawn.choice((0, 1, 1, 2.5))}")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    source = f"csv: {{path: {tmp_path / 'rows.csv'}, target: y, weight: w}}"
    written = text(layers, loss, "{" + source).replace("0.1}, prepare", "0.1, shuffle: false}, prepare")
    check(members(written, *ALIKE, outside=True))
    if loss == "cross_entropy":
        check(members(written, *(("training.shuffle=false", "metrics=[]", *change) for change in ALIKE), outside=True))
    if loss == "huber":
        folds = [fold.replace("validation", "shuffle: false, validation") for fold in FOLDS]
        check(members(written, *((fold,) for fold in folds), outside=True))


def test_initial_weights_and_orders_are_exactly_those_of_a_single_run() -> None:
    found = members(text().replace("epochs: 20", "epochs: 0"))
    for one, member in zip(train_together(found), found, strict=True):
        alone = ffspec.build(member.spec)
        assert one.together == 3
        for own, other in zip(one.network.state_dict().values(), alone.state_dict().values(), strict=True):
            assert torch.equal(own, other)
