"""Every layer, initialiser, loss, optimizer, scheduler and metric is one row, and one test drives them all."""

from __future__ import annotations

from math import isfinite
from typing import Any

import pytest
import torch
from torch import nn

import ffspec
from ffspec.builder.calibration import Temperature
from ffspec.builder.embeddings import PBLD, PLR, PiecewiseLinear
from ffspec.builder.loss import build_loss
from ffspec.builder.modules import Heaviside, PerceptronLoss, Residual
from ffspec.builder.optimizer import build_optimizers
from ffspec.builder.scaling import NTKLinear, Parametric, Scale, TargetScale
from ffspec.builder.shortcut import RidgeResidual
from ffspec.builder.stacked import Ensemble, MemberScale, SharedEnsemble, StackedLinear
from ffspec.schema import FAMILIES
from ffspec.spec.base import Component, Family
from ffspec.spec.inits import VECTOR_INITS
from ffspec.spec.metrics import METRICS, Metric
from ffspec.writer import dump
from tests.snippets import OPTIONAL

CLASSES = "dataset: {blobs: {n_samples: {train: 24, validation: 8, test: 8}, centers: 3, n_features: 4}}\n"
PAIR = "dataset: {moons: {n_samples: {train: 24, validation: 8, test: 8}, noise: 0.1}}\n"
NUMBERS = "dataset: {regression: {n_samples: {train: 24, validation: 8, test: 8}, n_features: 4, n_informative: 2}}\n"
COUNTS = "dataset: {inline: {x: [[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]], y: [0, 1, 1, 2, 3, 5]}, split: {test: 2}}\n"

LAYERS: tuple[tuple[str, tuple[nn.Module, ...]], ...] = (
    ("linear: {out_features: 6, in_features: 4, bias: false, init: ones}", (nn.Linear(4, 6, bias=False),)),
    ("linear: {out_features: 6, bias_init: ones}", (nn.Linear(4, 6),)),
    ("relu", (nn.ReLU(),)),
    ("leaky_relu: 0.2", (nn.LeakyReLU(0.2),)),
    ("prelu: {num_parameters: 4, init: 0.1}", (nn.PReLU(4, 0.1),)),
    ("elu: 0.5", (nn.ELU(0.5),)),
    ("selu", (nn.SELU(),)),
    ("celu: 0.5", (nn.CELU(0.5),)),
    ("gelu: tanh", (nn.GELU("tanh"),)),
    ("silu", (nn.SiLU(),)),
    ("mish", (nn.Mish(),)),
    ("sigmoid", (nn.Sigmoid(),)),
    ("tanh", (nn.Tanh(),)),
    ("softplus: {beta: 2, threshold: 10}", (nn.Softplus(2.0, 10.0),)),
    ("softsign", (nn.Softsign(),)),
    ("hardtanh: {min_val: -2, max_val: 2}", (nn.Hardtanh(-2.0, 2.0),)),
    ("hardsigmoid", (nn.Hardsigmoid(),)),
    ("hardswish", (nn.Hardswish(),)),
    ("relu6", (nn.ReLU6(),)),
    ("rrelu: {lower: 0.2, upper: 0.4}", (nn.RReLU(0.2, 0.4),)),
    ("logsigmoid", (nn.LogSigmoid(),)),
    ("softshrink: 0.1", (nn.Softshrink(0.1),)),
    ("hardshrink: 0.1", (nn.Hardshrink(0.1),)),
    ("tanhshrink", (nn.Tanhshrink(),)),
    ("threshold: {threshold: 0.1, value: 0.2}", (nn.Threshold(0.1, 0.2),)),
    ("glu", (nn.GLU(-1),)),
    ("identity", (nn.Identity(),)),
    ("softmax", (nn.Softmax(-1),)),
    ("log_softmax", (nn.LogSoftmax(-1),)),
    ("softmin", (nn.Softmin(-1),)),
    ("heaviside: {surrogate: straight_through, value: 0.5}", (Heaviside("straight_through", 0.5),)),
    ("dropout: 0.25", (nn.Dropout(0.25),)),
    ("alpha_dropout: 0.25", (nn.AlphaDropout(0.25),)),
    ("batch_norm: {eps: 0.001, momentum: null, affine: false}", (nn.BatchNorm1d(4, 0.001, None, affine=False),)),
    ("layer_norm: {eps: 0.001, bias: false}", (nn.LayerNorm(4, 0.001, bias=False),)),
    ("layer_norm: {elementwise_affine: false}", (nn.LayerNorm(4, elementwise_affine=False),)),
    ("rms_norm: {eps: 0.001, elementwise_affine: false}", (nn.RMSNorm(4, 0.001, elementwise_affine=False),)),
    ("linear: {out_features: 6, parametrization: ntk}", (NTKLinear(4, 6),)),
    ("scale", (Scale(4),)),
    ("parametric: selu", (Parametric(4, "selu"),)),
    ("flatten", (nn.Flatten(),)),
    ("repeat: {times: 2, layers: [{linear: 4}, tanh]}", (nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh())),
    ("residual: [{linear: 4}, tanh]", (Residual(nn.Linear(4, 4), nn.Tanh()),)),
)
FRONTS: tuple[tuple[str, tuple[nn.Module, ...]], ...] = (
    ("periodic: {d_embedding: 6, n_frequencies: 5, frequency_init_scale: 0.2, lite: true}", (PLR(4, 6, 5, lite=True),)),
    ("periodic: pbld", (PBLD(4, 4, 16),)),
    (
        "piecewise_linear: {d_embedding: 3, n_bins: 5, activation: relu, skip: true}",
        (PiecewiseLinear(4, 3, 5, activation=True, skip=True),),
    ),
    ("embedding: 3", (nn.Identity(),)),
)
"""Layers that stand in front, where the columns are still apart."""
ENDS: tuple[tuple[str, tuple[nn.Module, ...]], ...] = (("target_scale: false", (TargetScale(1, clamp=False),)),)
"""Layers that stand last, behind the linear, where the target is a number."""
ENSEMBLES: tuple[tuple[str, nn.Module], ...] = (
    (
        "ensemble: {members: 3, layers: [{linear: 4}, relu, linear]}",
        Ensemble(StackedLinear(3, 4, 4), nn.ReLU(), StackedLinear(3, 4, 3), members=3, combine="probabilities"),
    ),
    (
        "ensemble: {members: 3, share: hidden, layers: [{linear: 4}, relu, linear]}",
        SharedEnsemble(
            MemberScale(3, 4), nn.Linear(4, 4), nn.ReLU(), StackedLinear(3, 4, 3), members=3, combine="probabilities"
        ),
    ),
)
"""An ensemble ends the network, but for what only stands there."""
INITS = (
    "uniform: {a: -0.1, b: 0.1}",
    "normal: {mean: 0.01, std: 0.1}",
    "trunc_normal: {mean: 0.01, std: 0.1, a: -0.2, b: 0.2}",
    "constant: 0.1",
    "ones",
    "zeros",
    "eye",
    "xavier_uniform: 0.5",
    "xavier_normal: 0.5",
    "kaiming_uniform: {a: 0.1, mode: fan_out, nonlinearity: relu}",
    "kaiming_normal: {a: 0.2, mode: fan_out, nonlinearity: selu}",
    "orthogonal: 0.5",
    "sparse: {sparsity: 0.5, std: 0.1}",
)
HEAD = "[{linear: 4}, relu, linear]"
LOSSES: tuple[tuple[str, str, str, nn.Module], ...] = (
    ("bce", PAIR, "[{linear: 4}, relu, linear, sigmoid]", nn.BCELoss()),
    ("bce_with_logits: {pos_weight: balanced}", PAIR, HEAD, nn.BCEWithLogitsLoss(pos_weight=torch.tensor(1.0))),
    ("cross_entropy: {weight: balanced, label_smoothing: 0.1}", CLASSES, HEAD,
     nn.CrossEntropyLoss(torch.ones(3), label_smoothing=0.1)),
    ("nll: {weight: [1, 2]}", PAIR, "[{linear: 4}, relu, linear, log_softmax]", nn.NLLLoss(torch.tensor([1.0, 2]))),
    ("mse", NUMBERS, HEAD, nn.MSELoss()),
    ("l1", NUMBERS, HEAD, nn.L1Loss()),
    ("smooth_l1: 0.5", NUMBERS, HEAD, nn.SmoothL1Loss(beta=0.5)),
    ("huber: 0.5", NUMBERS, HEAD, nn.HuberLoss(delta=0.5)),
    ("poisson_nll: {full: true}", COUNTS, HEAD, nn.PoissonNLLLoss(full=True)),
    ("soft_margin", PAIR, HEAD, nn.SoftMarginLoss()),
    ("hinge_embedding: 0.5", PAIR, "[{linear: 4}, relu, linear, softplus]", nn.HingeEmbeddingLoss(0.5)),
    ("multi_margin: {p: 2, margin: 0.5, weight: [1, 2, 3]}", CLASSES, HEAD,
     nn.MultiMarginLoss(2, 0.5, torch.tensor([1.0, 2, 3]))),
    ("multi_label_soft_margin", CLASSES, HEAD, nn.MultiLabelSoftMarginLoss()),
    ("perceptron", PAIR, "[linear]", PerceptronLoss()),
)  # fmt: skip
UNGROUPED = (
    "sgd: {lr: 0.05, momentum: 0.9, dampening: 0.1, weight_decay: 0.01}",
    "sgd: {lr: 0.05, momentum: 0.9, nesterov: true}",
    "adam: {lr: 0.01, betas: [0.8, 0.99], eps: 1e-6, weight_decay: 0.01, amsgrad: true}",
    "adamw: {lr: 0.01, betas: [0.8, 0.99], eps: 1e-6, weight_decay: 0.1, amsgrad: true}",
    (
        "nadam: {lr: 0.01, betas: [0.8, 0.99], eps: 1e-6, weight_decay: 0.1, momentum_decay: 0.01,"
        " decoupled_weight_decay: true}"
    ),
    "radam: {lr: 0.01, betas: [0.8, 0.99], eps: 1e-6, weight_decay: 0.1, decoupled_weight_decay: true}",
    "rmsprop: {lr: 0.02, alpha: 0.9, eps: 1e-6, weight_decay: 0.1, momentum: 0.5, centered: true}",
    "adagrad: {lr: 0.05, lr_decay: 0.1, weight_decay: 0.1, initial_accumulator_value: 0.1, eps: 1e-6}",
    "adadelta: {lr: 0.5, rho: 0.8, eps: 1e-5, weight_decay: 0.1}",
    "adamax: {lr: 0.01, betas: [0.8, 0.99], eps: 1e-6, weight_decay: 0.1}",
    "asgd: {lr: 0.05, lambd: 0.001, alpha: 0.5, t0: 1, weight_decay: 0.1}",
    "rprop: {lr: 0.02, etas: [0.4, 1.3], step_sizes: [1e-5, 10]}",
    "adafactor: {lr: 0.05, beta2_decay: -0.7, d: 2, weight_decay: 0.1}",
    (
        "muon: {lr: 0.01, weight_decay: 0.2, momentum: 0.9, nesterov: false, eps: 1e-6, ns_steps: 3,"
        " adjust_lr_fn: match_rms_adamw, adamw_lr: 0.01}"
    ),
    (
        "lbfgs: {lr: 0.5, max_iter: 4, max_eval: 6, tolerance_grad: 1e-6, tolerance_change: 1e-8, history_size: 5,"
        " line_search_fn: strong_wolfe}"
    ),
)
GROUPS = {
    "lbfgs": "",
    "rprop": ", groups: [{layers: [linear], parameters: bias, lr: 0.5}]",
}
OPTIMIZERS = tuple(
    text[:-1] + GROUPS.get(text.partition(":")[0], ", groups: [{parameters: bias, lr: 0.5, weight_decay: 0.1}]") + "}"
    for text in UNGROUPED
)
SCHEDULERS = (
    "constant: {factor: 0.5, total_iters: 1, interval: step}",
    "linear: {start_factor: 0.5, end_factor: 0.9, total_iters: 3, interval: step}",
    "step: {step_size: 1, gamma: 0.5, interval: step}",
    "multi_step: {milestones: [1, 2], gamma: 0.5, interval: step}",
    "exponential: {gamma: 0.5, interval: step}",
    "cosine_annealing: {T_max: 3, eta_min: 0.001, interval: step}",
    "cosine_annealing_warm_restarts: {T_0: 2, T_mult: 2, eta_min: 0.001, interval: step}",
    (
        "one_cycle: {max_lr: 0.1, total_steps: 2, pct_start: 0.4, anneal_strategy: linear, cycle_momentum: false,"
        " base_momentum: 0.8, max_momentum: 0.9, div_factor: 10, final_div_factor: 100, interval: epoch,"
        " three_phase: true}"
    ),
    "flat_cos: {total_iters: 2, interval: epoch}",
    "coslog4: {total_iters: 6, interval: epoch}",
    "polynomial: {total_iters: 3, power: 2, interval: step}",
    (
        "reduce_on_plateau: {monitor: validation.accuracy, factor: 0.5, patience: 0, threshold: 0.1,"
        " threshold_mode: abs, cooldown: 1, min_lr: 0.001, eps: 1e-7}"
    ),
    "warmup: {total_iters: 1, start_factor: 0.1, interval: step, then: cosine_annealing}",
)
KEPT = {"reduce_on_plateau": {"interval"}}
"""Arguments with a single value."""
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
    return pytest.param(kind, name_of(text), spec, expected, id=f"{kind}-{text}")


def layer_row(text: str, modules: tuple[nn.Module, ...]) -> Any:
    return row("layer", text, spec_of(layers=f"layers: [{{linear: 4}}, {flow(text)}, linear]\n"), modules)


def front_row(text: str, modules: tuple[nn.Module, ...]) -> Any:
    layers = f"layers: [identity, {flow(text)}, {{linear: 8}}, relu, linear]\n"
    return row("layer", text, spec_of(layers=layers), modules)


def end_row(text: str, modules: tuple[nn.Module, ...]) -> Any:
    layers = f"layers: [linear, {flow(text)}]\n"
    return row("layer", text, spec_of(dataset=NUMBERS, layers=layers, loss="loss: mse\n"), modules)


def answer_row(text: str, module: nn.Module) -> Any:
    layers = f"layers: [identity, {flow(text)}]\n"
    return row("layer", text, spec_of(dataset=NUMBERS, layers=layers, loss="loss: mse\n"), (module,))


def ensemble_row(text: str, module: nn.Module) -> Any:
    return row("layer", text, spec_of(layers=f"layers: [{{linear: 4}}, {flow(text)}, identity]\n"), (module,))


def init_row(text: str, argument: str = "init") -> Any:
    layers = f"layers: [{{linear: {{out_features: 6, {argument}: {flow(text)}}}}}, tanh, linear]\n"
    return row("initialiser" if argument == "init" else "bias initialiser", text, spec_of(layers=layers))


def loss_row(text: str, data: str, layers: str, module: nn.Module) -> Any:
    return row("loss", text, spec_of(dataset=data, layers=f"layers: {layers}\n", loss=f"loss: {flow(text)}\n"), module)


def metric_row(metric: Metric) -> Any:
    task = {"dataset": PAIR} if metric.target == "classes" else {"dataset": NUMBERS, "loss": "loss: mse\n"}
    return row("metric", metric.name, spec_of(**task, metrics=f"metrics: [{metric.name}]\n"))


ROWS = (
    *(layer_row(*parts) for parts in LAYERS),
    *(front_row(*parts) for parts in FRONTS),
    *(end_row(*parts) for parts in ENDS),
    answer_row(
        "residual: {shortcut: ridge, layers: [tanh, linear]}",
        RidgeResidual(nn.Tanh(), nn.Linear(4, 1), in_features=4, out_features=1),
    ),
    row("layer", "temperature", spec_of(layers="layers: [linear, temperature]\n"), (Temperature(),)),
    *(ensemble_row(*parts) for parts in ENSEMBLES),
    *(init_row(text) for text in INITS),
    *(init_row(text, "bias_init") for text in INITS if name_of(text) in {init.name for init in VECTOR_INITS}),
    *(loss_row(*parts) for parts in LOSSES),
    *(row("optimizer", text, spec_of(optimizer=f"optimizer: {flow(text)}\n")) for text in OPTIMIZERS),
    *(row("scheduler", text, spec_of(scheduler=f"scheduler: {flow(text)}\n")) for text in SCHEDULERS),
    *(metric_row(metric) for metric in METRICS),
)


@pytest.mark.parametrize(("kind", "name", "text", "expected"), ROWS)
def test_a_component_from_text_to_trained_network_and_back(kind: str, name: str, text: str, expected: Any) -> None:
    spec = ffspec.load(text, allow=OPTIONAL)
    assert ffspec.load(ffspec.dump(spec), allow=OPTIONAL) == spec
    assert ffspec.load(dump(spec, full=True), allow=OPTIONAL) == spec
    assert ffspec.check(spec) == ()
    planned, model = ffspec.plan(spec), ffspec.build(spec)
    assert type(model) is nn.Sequential
    assert planned.parameters == sum(parameter.numel() for parameter in model.parameters())
    result = ffspec.run(spec)
    assert len(result.history) == 2
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), result.model.parameters(), strict=True))
    for evaluation in (result.before, result.after):
        assert list(evaluation) == list(result.data.splits)
        assert all(isfinite(measure) for measures in evaluation.values() for measure in measures.values())
    match kind:
        case "layer":
            made = [*model][1 : 1 + len(expected)]
            assert [described(module) for module in made] == [described(module) for module in expected]
        case "loss":
            y = torch.from_numpy(result.data.splits["train"].y)
            counts: Any = [] if result.data.classes is None else y.bincount()
            assert described(build_loss(planned.loss, counts=[*map(int, counts)])) == described(expected)
        case "optimizer":
            assert_constructed(build_optimizers(spec.optimizer, model, planned.steps), spec.optimizer)
        case "metric":
            assert name in result.after["train"]


def described(module: nn.Module) -> tuple[Any, ...]:
    """Return all a module was constructed with: its class, its settings, its parameters' shapes, its buffers."""
    settings = {key: value for key, value in vars(module).items() if not key.startswith("_") and key != "training"}
    shapes = {key: tuple(parameter.shape) for key, parameter in module.named_parameters(recurse=False)}
    buffers = {key: buffer.tolist() for key, buffer in module.named_buffers(recurse=False)}
    return type(module), settings, shapes, buffers, [described(child) for child in module.children()]


def assert_constructed(made: tuple[torch.optim.Optimizer, ...], component: Component) -> None:
    first, last = made[0], made[-1]
    assert type(first).__name__.lower() == component.name
    for name in type(component).model_fields.keys() - {"groups"}:
        value = last.defaults["lr"] if name == "adamw_lr" else first.defaults[name]
        assert value == getattr(component, name), name


def component(kind: str, text: str) -> Component:
    """Return the component a row is about."""
    spec: Any = ffspec.load(text, allow=OPTIONAL)
    places = {"layer": lambda: spec.layers[1], "initialiser": lambda: spec.layers[0].init}
    places["bias initialiser"] = lambda: spec.layers[0].bias_init
    found = places[kind]() if kind in places else getattr(spec, kind)
    assert isinstance(found, Component)
    return found


TRAINED = tuple(family for family in FAMILIES if family.kind != "range")
"""All but the ranges of a sweep, which become no call of PyTorch's: test_points.py draws from each."""


@pytest.mark.parametrize("family", TRAINED, ids=lambda family: family.kind)
def test_every_component_has_a_row_and_every_argument_another_value_than_its_default(family: Family) -> None:
    given: dict[str, set[str]] = {}
    for kind, name, text, _ in (parameters.values for parameters in ROWS):
        if kind == family.kind:
            found = component(str(kind), str(text))
            fields = type(found).model_fields.items()
            changed = {key for key, field in fields if field.is_required() or getattr(found, key) != field.default}
            given[str(name)] = given.get(str(name), set()) | changed | KEPT.get(str(name), set())
    assert given == {member.name: set(member.model_fields) for member in family.members}


def test_every_metric_has_a_row() -> None:
    assert [row.values[1] for row in ROWS if row.values[0] == "metric"] == [metric.name for metric in METRICS]


@pytest.mark.parametrize("name", [init.name for init in VECTOR_INITS])
def test_an_initialiser_of_a_bias_leaves_the_weight_alone(name: str) -> None:
    text = next(text for text in INITS if name_of(text) == name)
    drawn = ffspec.build(ffspec.load(str(init_row(text, "bias_init").values[2]), allow=OPTIONAL))
    default = ffspec.build(spec_of(layers="layers: [{linear: 6}, tanh, linear]\n"))
    assert not torch.equal(drawn[0].bias, default[0].bias)  # type: ignore[arg-type]
    assert torch.equal(drawn[0].weight, default[0].weight)  # type: ignore[arg-type]
