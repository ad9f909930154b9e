"""Every layer, initialiser, loss, optimizer, scheduler and metric is one row, and one test drives them all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import ffspec
from ffspec.schema import FAMILIES
from ffspec.spec.base import Family
from ffspec.spec.inits import VECTOR_INITS
from ffspec.spec.kinds import Loss
from ffspec.spec.metrics import METRICS, Metric

CLASSES = "dataset: {blobs: {n_samples: {train: 24, validation: 8, test: 8}, centers: 3, n_features: 4}}\n"
PAIR = "dataset: {moons: {n_samples: {train: 24, validation: 8, test: 8}, noise: 0.1}}\n"
NUMBERS = "dataset: {regression: {n_samples: {train: 24, validation: 8, test: 8}, n_features: 4, n_informative: 2}}\n"
COUNTS = "dataset: {inline: {x: [[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]], y: [0, 1, 1, 2, 3, 5]}, split: {test: 2}}\n"

LAYERS = (
    ("linear: {out_features: 6, in_features: 4, bias: false}", nn.Linear),
    ("relu", nn.ReLU),
    ("leaky_relu: 0.2", nn.LeakyReLU),
    ("prelu: {num_parameters: 4, init: 0.1}", nn.PReLU),
    ("elu: 0.5", nn.ELU),
    ("selu", nn.SELU),
    ("celu: 0.5", nn.CELU),
    ("gelu: tanh", nn.GELU),
    ("silu", nn.SiLU),
    ("mish", nn.Mish),
    ("sigmoid", nn.Sigmoid),
    ("tanh", nn.Tanh),
    ("softplus: {beta: 2, threshold: 10}", nn.Softplus),
    ("softsign", nn.Softsign),
    ("hardtanh: {min_val: -2, max_val: 2}", nn.Hardtanh),
    ("hardsigmoid", nn.Hardsigmoid),
    ("hardswish", nn.Hardswish),
    ("relu6", nn.ReLU6),
    ("rrelu: {lower: 0.2, upper: 0.4}", nn.RReLU),
    ("logsigmoid", nn.LogSigmoid),
    ("softshrink: 0.1", nn.Softshrink),
    ("hardshrink: 0.1", nn.Hardshrink),
    ("tanhshrink", nn.Tanhshrink),
    ("threshold: {threshold: 0.1, value: 0.2}", nn.Threshold),
    ("glu", nn.GLU),
    ("identity", nn.Identity),
    ("softmax", nn.Softmax),
    ("log_softmax", nn.LogSoftmax),
    ("softmin", nn.Softmin),
    ("heaviside: {surrogate: straight_through, value: 0.5}", None),
    ("dropout: 0.25", nn.Dropout),
    ("alpha_dropout: 0.25", nn.AlphaDropout),
    ("batch_norm: {eps: 0.001, momentum: null, affine: false}", nn.BatchNorm1d),
    ("layer_norm: {eps: 0.001, bias: false}", nn.LayerNorm),
    ("rms_norm: {eps: 0.001}", nn.RMSNorm),
    ("flatten", nn.Flatten),
    ("repeat: {times: 2, layers: [{linear: 4}, tanh]}", nn.Linear),
    ("residual: [{linear: 4}, tanh]", None),
)
INITS = (
    "uniform: {a: -0.1, b: 0.1}",
    "normal: {std: 0.1}",
    "trunc_normal: {std: 0.1, a: -0.2, b: 0.2}",
    "constant: 0.1",
    "ones",
    "zeros",
    "eye",
    "xavier_uniform: 0.5",
    "xavier_normal: 0.5",
    "kaiming_uniform: {mode: fan_out, nonlinearity: relu}",
    "kaiming_normal: {mode: fan_out, a: 0.2}",
    "orthogonal: 0.5",
    "sparse: {sparsity: 0.5, std: 0.1}",
)
LOSSES = (
    ("bce", PAIR, "[{linear: 4}, relu, linear, sigmoid]"),
    ("bce_with_logits: {pos_weight: balanced}", PAIR, "[{linear: 4}, relu, linear]"),
    ("cross_entropy: {weight: balanced, label_smoothing: 0.1}", CLASSES, "[{linear: 4}, relu, linear]"),
    ("nll: {weight: [1, 2, 3]}", CLASSES, "[{linear: 4}, relu, linear, log_softmax]"),
    ("mse", NUMBERS, "[{linear: 4}, relu, linear]"),
    ("l1", NUMBERS, "[{linear: 4}, relu, linear]"),
    ("smooth_l1: 0.5", NUMBERS, "[{linear: 4}, relu, linear]"),
    ("huber: 0.5", NUMBERS, "[{linear: 4}, relu, linear]"),
    ("poisson_nll: {full: true}", COUNTS, "[{linear: 4}, relu, linear]"),
    ("soft_margin", PAIR, "[{linear: 4}, relu, linear]"),
    ("hinge_embedding: 0.5", PAIR, "[{linear: 4}, relu, linear, softplus]"),
    ("multi_margin: {p: 2, margin: 0.5}", CLASSES, "[{linear: 4}, relu, linear]"),
    ("multi_label_soft_margin", CLASSES, "[{linear: 4}, relu, linear]"),
    ("perceptron", PAIR, "[linear]"),
)
OPTIMIZERS = (
    "sgd: {lr: 0.05, momentum: 0.9, nesterov: true, weight_decay: 0.01}",
    "adam: {lr: 0.01, betas: [0.8, 0.99], amsgrad: true}",
    "adamw: {lr: 0.01, weight_decay: 0.1}",
    "nadam: {lr: 0.01, decoupled_weight_decay: true}",
    "radam: {lr: 0.01, eps: 1e-6}",
    "rmsprop: {lr: 0.01, alpha: 0.9, centered: true}",
    "adagrad: {lr: 0.05, lr_decay: 0.1}",
    "adadelta: {lr: 0.5, rho: 0.8}",
    "adamax: {lr: 0.01, weight_decay: 0.1}",
    "asgd: {lr: 0.05, t0: 1}",
    "rprop: {lr: 0.01, etas: [0.4, 1.3]}",
    "adafactor: {lr: 0.05, d: 2}",
    "muon: {lr: 0.01, ns_steps: 3, adamw_lr: 0.01}",
    "lbfgs: {lr: 0.5, max_iter: 4, line_search_fn: strong_wolfe}",
)
SCHEDULERS = (
    "constant: {factor: 0.5, total_iters: 1}",
    "linear: {start_factor: 0.5}",
    "step: 1",
    "multi_step: [1, 2]",
    "exponential: 0.5",
    "cosine_annealing: {eta_min: 0.001}",
    "cosine_annealing_warm_restarts: {T_0: 2, T_mult: 2, interval: step}",
    "one_cycle: 0.1",
    "polynomial: {power: 2}",
    "reduce_on_plateau: {patience: 0, factor: 0.5, monitor: validation.loss}",
    "warmup: {total_iters: 1, start_factor: 0.1, then: cosine_annealing}",
)
NETWORK = "layers: [{linear: 6}, relu, {linear: 6}, relu, linear]\n"
DEFAULTS = {"loss": "loss: cross_entropy\n", "optimizer": "optimizer: {sgd: 0.05}\n"}


def flow(text: str) -> str:
    """Write a component of the table as a flow value: a name, or a mapping of one key."""
    return f"{{{text}}}" if ": " in text else text


def spec_of(**parts: str) -> str:
    """Make a whole spec of some lines, the rest being ordinary."""
    lines = {"dataset": CLASSES, "layers": NETWORK, **DEFAULTS, "training": "training: {epochs: 2, batch_size: 8}\n"}
    return "".join({**lines, **parts}.values())


def name_of(text: str) -> str:
    return text.partition(":")[0]


def row(kind: str, text: str, spec: str, expected: Any = None) -> Any:
    return pytest.param(kind, name_of(text), spec, expected, id=f"{kind}-{name_of(text)}")


def layer_row(text: str, kind: type[nn.Module] | None) -> Any:
    return row("layer", text, spec_of(layers=f"layers: [{{linear: 4}}, {flow(text)}, linear]\n"), kind)


def init_row(text: str) -> Any:
    layers = f"layers: [{{linear: {{out_features: 6, init: {flow(text)}}}}}, tanh, linear]\n"
    return row("initialiser", text, spec_of(layers=layers))


def loss_row(text: str, data: str, layers: str) -> Any:
    return row("loss", text, spec_of(dataset=data, layers=f"layers: {layers}\n", loss=f"loss: {flow(text)}\n"))


def metric_row(metric: Metric) -> Any:
    task = {"dataset": PAIR} if metric.target == "classes" else {"dataset": NUMBERS, "loss": "loss: mse\n"}
    return row("metric", metric.name, spec_of(**task, metrics=f"metrics: [{metric.name}]\n"))


ROWS = (
    *(layer_row(text, kind) for text, kind in LAYERS),
    *(init_row(text) for text in INITS),
    *(loss_row(*parts) for parts in LOSSES),
    *(row("optimizer", text, spec_of(optimizer=f"optimizer: {flow(text)}\n")) for text in OPTIMIZERS),
    *(row("scheduler", text, spec_of(scheduler=f"scheduler: {flow(text)}\n")) for text in SCHEDULERS),
    *(metric_row(metric) for metric in METRICS),
)


@pytest.mark.parametrize(("kind", "name", "text", "expected"), ROWS)
def test_a_component_from_text_to_trained_network_and_back(kind: str, name: str, text: str, expected: Any) -> None:
    spec = ffspec.load(text)
    assert ffspec.load(ffspec.dump(spec)) == spec
    assert ffspec.check(spec) == ()
    planned, model = ffspec.plan(spec), ffspec.build(spec)
    assert type(model) is nn.Sequential
    assert planned.parameters == sum(parameter.numel() for parameter in model.parameters())
    if kind == "layer" and expected is not None:
        assert type(model[1]) is expected
    result = ffspec.run(spec)
    assert len(result.history) == 2
    changed = any(not torch.equal(a, b) for a, b in zip(model.parameters(), result.model.parameters(), strict=True))
    assert changed
    if kind == "metric":
        assert name in result.after["train"]
    assert all(measures["loss"] == measures["loss"] for measures in result.after.values())


def rows_of(kind: str) -> list[str]:
    return [parameters.values[1] for parameters in ROWS if parameters.values[0] == kind]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.kind)
def test_every_component_has_a_row(family: Family) -> None:
    assert sorted(rows_of(family.kind)) == sorted(family.names)


def test_every_metric_has_a_row() -> None:
    assert rows_of("metric") == [metric.name for metric in METRICS]


@pytest.mark.parametrize("name", [init.name for init in VECTOR_INITS])
def test_an_initialiser_of_a_bias(name: str) -> None:
    text = next(text for text in INITS if name_of(text) == name)
    spec = ffspec.load(
        spec_of(layers=f"layers: [{{linear: {{out_features: 6, bias_init: {flow(text)}}}}}, relu, linear]\n")
    )
    plain = ffspec.load(spec_of(layers="layers: [{linear: 6}, relu, linear]\n"))
    drawn, default = ffspec.build(spec), ffspec.build(plain)
    assert not torch.equal(drawn[0].bias, default[0].bias)  # type: ignore[arg-type]
    assert torch.equal(drawn[0].weight, default[0].weight)  # type: ignore[arg-type]


def test_losses_say_what_they_compare() -> None:
    for member in next(family for family in FAMILIES if family.kind == "loss").members:
        assert issubclass(member, Loss)
        assert member.target in {"index", "probability", "sign", "value"}
