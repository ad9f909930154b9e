"""The planner: what it makes of a spec, and the whole of what it says where a spec does not fit together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ffspec
from ffspec.diagnostics import Diagnostic, SpecError
from ffspec.planner import draft, plan, steps_in
from ffspec.resolver import resolve
from ffspec.rules import examine
from ffspec.spec.base import to_plain
from ffspec.spec.facts import Facts
from ffspec.spec.root import Spec
from ffspec.spec.step import Call

IRIS: dict[str, Any] = {"dataset": "iris", "loss": "cross_entropy", "optimizer": "adam"}


def spec_of(*layers: Any, **parts: Any) -> Spec:
    return Spec.model_validate({**IRIS, "layers": layers, **parts})


def problems(*layers: Any, **parts: Any) -> list[Diagnostic]:
    """Return what the planner finds, four features and three classes coming in unless another dataset is named."""
    spec = spec_of(*layers, **parts)
    found = draft({name: getattr(spec, name) for name in Spec.model_fields}).problems
    return [replace(item, edit=None) for item in found]


def linear(index: int, argument: str = "out_features") -> tuple[str | int, ...]:
    return ("layers", index, "linear", argument)


INFERRED = "write 3, or leave it out: it is inferred"
SCORES = "cross_entropy needs one output for each of the 3 classes, found {}"

FAULTS: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[str, str, tuple[str | int, ...], str | None]]] = [
    (
        "in_features",
        ({"linear": 8}, {"linear": {"out_features": 3, "in_features": 7}}),
        {},
        (
            "FF112",
            "in_features must be 8, the width it receives, found 7",
            linear(1, "in_features"),
            "write 8, or leave it out: it is inferred",
        ),
    ),
    (
        "in_features of the first layer",
        ({"linear": {"in_features": 5}},),
        {},
        (
            "FF112",
            "in_features must be 4, the width it receives, found 5",
            linear(0, "in_features"),
            "write 4, or leave it out: it is inferred",
        ),
    ),
    (
        "glu of an odd width",
        ({"linear": 7}, "glu", "linear"),
        {},
        ("FF112", "glu must receive an even number of features, found 7", ("layers", 1), None),
    ),
    (
        "prelu of another width",
        ({"linear": 8}, {"prelu": {"num_parameters": 4}}, "linear"),
        {},
        (
            "FF112",
            "num_parameters must be 1 or the 8 features it receives, found 4",
            ("layers", 1, "prelu", "num_parameters"),
            None,
        ),
    ),
    (
        "in a repeat, once",
        (
            {"repeat": {"times": 3, "layers": ({"linear": 6}, {"linear": {"out_features": 5, "in_features": 4}})}},
            "linear",
        ),
        {},
        (
            "FF112",
            "in_features must be 6, the width it receives, found 4",
            ("layers", 0, "repeat", "layers", 1, "linear", "in_features"),
            "write 6, or leave it out: it is inferred",
        ),
    ),
    (
        "a width left out",
        ("linear", "relu", "linear"),
        {},
        (
            "FF021",
            "out_features must be written: only the last linear may leave it out",
            ("layers", 0),
            "write linear: 64, say",
        ),
    ),
    (
        "a width left out in a residual",
        ({"residual": ("linear",)}, "linear"),
        {},
        (
            "FF021",
            "out_features must be written: only the last linear may leave it out",
            ("layers", 0, "residual", "layers", 0),
            "write linear: 64, say",
        ),
    ),
    (
        "a width left out before a repeat that ends the network",
        ("linear", {"repeat": {"times": 2, "layers": ({"linear": 3},)}}),
        {},
        (
            "FF021",
            "out_features must be written: only the last linear may leave it out",
            ("layers", 0),
            "write linear: 64, say",
        ),
    ),
    (
        "a residual that changes the width",
        ({"linear": 8}, {"residual": ({"linear": 16}, "relu")}, "linear"),
        {},
        (
            "FF022",
            "the layers of a residual must keep the width: they receive 8 and return 16",
            ("layers", 1),
            "end them with linear: 8",
        ),
    ),
    (
        "classes of numbers",
        ("linear",),
        {"dataset": "diabetes"},
        (
            "FF024",
            "cross_entropy needs classes to tell apart, but the target of this data set is numbers",
            ("loss",),
            "mse, l1 and huber fit numbers",
        ),
    ),
    ("too many scores", ({"linear": 8}, "relu", {"linear": 5}), {}, ("FF113", SCORES.format(5), linear(2), INFERRED)),
    ("too few scores", ({"linear": 2}, "identity"), {}, ("FF113", SCORES.format(2), linear(0), INFERRED)),
    (
        "no output layer",
        ({"linear": 2}, {"residual": ("tanh",)}),
        {},
        ("FF113", SCORES.format(2), ("layers", 1), "end the layers with linear: 3"),
    ),
    (
        "scores out of a repeat",
        ({"linear": 3}, {"repeat": {"times": 2, "layers": ({"linear": 7},)}}),
        {},
        ("FF113", SCORES.format(7), ("layers", 1), "end the layers with linear: 3"),
    ),
    (
        "scores out of a glu",
        ({"linear": 8}, "glu"),
        {},
        ("FF113", SCORES.format(4), ("layers", 1), "end the layers with linear: 3"),
    ),
    ("no linear", ("relu",), {}, ("FF113", SCORES.format(4), ("layers", 0), "end the layers with linear: 3")),
    (
        "a column too many",
        ({"linear": 2}, "sigmoid"),
        {"dataset": "breast_cancer", "loss": "bce"},
        (
            "FF114",
            "the output must have the target's shape, one column for two classes, found 2",
            linear(0),
            "write 1, or leave it out: it is inferred",
        ),
    ),
    (
        "a column for each class",
        ({"linear": 2},),
        {"loss": "soft_margin"},
        (
            "FF114",
            "the output must have the target's shape, one column for each of 3 classes, found 2",
            linear(0),
            INFERRED,
        ),
    ),
    (
        "a number too many",
        ({"linear": 2},),
        {"dataset": "diabetes", "loss": "mse"},
        (
            "FF114",
            "the output must have the target's shape, one column, found 2",
            linear(0),
            "write 1, or leave it out: it is inferred",
        ),
    ),
    (
        "numbers missing",
        ({"linear": 1},),
        {"dataset": {"regression": {"n_samples": 20, "n_targets": 3}}, "loss": "l1"},
        ("FF114", "the output must have the target's shape, 3 columns, found 1", linear(0), INFERRED),
    ),
    (
        "too many layers",
        ({"repeat": {"times": 1000, "layers": ({"repeat": {"times": 1000, "layers": ("relu",)}},)}}, "linear"),
        {},
        (
            "FF020",
            "a network may have at most 10,000 layers, repeats written out",
            ("layers", 0, "repeat", "layers", 0, "repeat", "layers", 0),
            None,
        ),
    ),
    (
        "too many parameters",
        ({"linear": 10_000}, {"repeat": {"times": 3, "layers": ({"linear": 10_000},)}}, "linear"),
        {},
        ("FF020", "a network may have at most 100,000,000 parameters", ("layers", 1, "repeat", "layers", 0), None),
    ),
]


@pytest.mark.parametrize(("layers", "parts", "expected"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_what_does_not_fit(
    layers: tuple[Any, ...], parts: dict[str, Any], expected: tuple[str, str, tuple[str | int, ...], str | None]
) -> None:
    code, message, path, hint = expected
    fault = Diagnostic(code=code, message=message, path=path, hint=hint)
    found = problems(*layers, **parts)
    assert found[0] == fault
    assert code == "FF020" or found == [fault]


def test_all_faults_at_once_and_behind_each_the_width_is_unknown() -> None:
    layers = (
        {"linear": 7},
        "glu",
        {"linear": {"in_features": 3, "out_features": 5}},
        "glu",
        {"prelu": {"num_parameters": 2}},
        "linear",
    )
    assert [(item.code, item.path[1]) for item in problems(*layers)] == [("FF112", 1), ("FF112", 3)]
    assert plan(spec_of({"linear": 8}, "glu", {"prelu": {"num_parameters": 4}}, "linear")).output == (3,)


def test_planning_what_does_not_fit_raises_all_of_it() -> None:
    with pytest.raises(SpecError) as caught:
        plan(spec_of("linear", {"linear": 7}, "glu"))
    assert [item.code for item in caught.value.diagnostics] == ["FF021", "FF112"]


@pytest.mark.parametrize(
    ("parts", "width"),
    [
        ({}, 3),
        ({"loss": "multi_margin"}, 3),
        ({"loss": "soft_margin"}, 3),
        ({"dataset": "digits", "loss": "mse"}, 1),
        ({"loss": "mse", "metrics": ("accuracy",)}, 3),
        ({"loss": "mse", "checks": {"test.accuracy": {"min": 0.5}}}, 3),
        ({"dataset": "breast_cancer"}, 2),
        ({"dataset": "breast_cancer", "loss": "bce_with_logits"}, 1),
        ({"dataset": "diabetes", "loss": "huber"}, 1),
        ({"dataset": {"regression": {"n_samples": 20, "n_targets": 3}}, "loss": "mse"}, 3),
        ({"dataset": "arrays"}, None),
    ],
    ids=str,
)
def test_the_last_width_is_inferred_from_target_and_loss(parts: dict[str, Any], width: int | None) -> None:
    made = plan(spec_of({"linear": 8}, "relu", "linear", {"residual": ("tanh",)}, {"dropout": 0.5}, **parts))
    assert made.output == (width,)
    assert made.steps[2].call.arguments["out_features"] == width


def test_what_only_the_data_can_tell_stays_none() -> None:
    spec = spec_of({"linear": 8}, "batch_norm", "glu", {"residual": ({"linear": 4},)}, "linear", dataset="arrays")
    made = plan(spec)
    assert (made.input, made.output, made.parameters, made.flops, made.steps_per_epoch) == (
        (None,),
        (None,),
        None,
        None,
        None,
    )
    assert [step.output for step in made.steps] == [(8,), (8,), (4,), (4,), (None,)]
    assert [step.parameters for step in made.steps] == [None, 16, 0, 0, None]
    known = plan(spec, Facts(features=3, target="classes", outputs=5, rows={"train": 33}))
    assert (known.input, known.output, known.steps_per_epoch) == ((3,), (5,), 2)
    assert known.parameters == (3 * 8 + 8) + 16 + (4 * 4 + 4) + (4 * 5 + 5)
    found = examine({name: getattr(spec, name) for name in Spec.model_fields})
    assert [item.code for item in found] == ["FF110", "FF118"]


def test_the_plan_of_a_shipped_spec() -> None:
    made = ffspec.plan(Path(__file__).parent.parent / "specs" / "feedforward.yaml")
    assert [str(step.call) for step in made.steps] == [
        "nn.Linear(in_features=2, out_features=10, bias=True)",
        "nn.ReLU()",
        "nn.Linear(in_features=10, out_features=1, bias=True)",
        "nn.Sigmoid()",
    ]
    assert [step.flops for step in made.steps] == [2 * 20 + 10, 10, 2 * 10 + 1, 1]
    assert (made.parameters, made.flops, made.steps_per_epoch) == (41, 82, 1)
    assert (made.loss, made.optimizer.target) == (Call("nn.BCELoss"), "optim.SGD")


def test_repeats_are_written_out_and_residuals_hold_their_steps() -> None:
    made = plan(
        spec_of({"repeat": {"times": 2, "layers": ({"linear": 8}, "relu")}}, {"residual": ({"linear": 8},)}, "linear")
    )
    assert [step.call.target for step in made.steps] == ["nn.Linear", "nn.ReLU"] * 2 + ["ffspec.Residual", "nn.Linear"]
    assert [step.input for step in made.steps] == [(4,), (8,), (8,), (8,), (8,), (8,)]
    assert made.steps[0].path == made.steps[2].path == ("layers", 0, "repeat", "layers", 0)
    assert [step.path for step in made.steps[4].steps] == [("layers", 1, "residual", "layers", 0)]


@pytest.mark.parametrize(
    ("rows", "size", "drop_last", "steps"),
    [(50, 16, False, 4), (50, 16, True, 3), (48, 16, True, 3), (50, "all", False, 1), (None, "all", True, 1),
     (None, 16, False, None), (5, 16, False, 1), (5, 16, True, 0)],
)  # fmt: skip
def test_steps_of_an_epoch(rows: int | None, size: int | str, drop_last: bool, steps: int | None) -> None:
    assert steps_in(rows, size, drop_last=drop_last) == steps


def test_the_length_of_a_schedule_is_what_is_left_of_the_training() -> None:
    training = {"epochs": 10, "batch_size": 30}
    by_steps = {"cosine_annealing": {"interval": "step"}}
    made = plan(spec_of("linear", training=training, scheduler={"warmup": {"total_iters": 2, "then": by_steps}}))
    assert made.steps_per_epoch == 4
    assert [(phase.length, phase.interval, phase.call.arguments.get("T_max")) for phase in made.schedule] == [
        (2, "epoch", None),
        (None, "step", 32),
    ]
    warmup = {"total_iters": 6, "interval": "step", "then": "cosine_annealing"}
    made = plan(spec_of("linear", training=training, scheduler={"warmup": warmup}))
    assert made.schedule[1].call.arguments["T_max"] == 8
    assert (
        plan(spec_of("linear", training={"epochs": 0}, scheduler="polynomial"))
        .schedule[0]
        .call.arguments["total_iters"]
        == 1
    )


def test_a_resolved_spec_says_every_width_and_length() -> None:
    layers = ({"repeat": {"times": 2, "layers": ({"linear": 8}, "relu")}}, {"residual": ({"linear": 8},)}, "linear")
    schedule = {"warmup": {"total_iters": 2, "then": {"cosine_annealing": {"interval": "step"}}}}
    spec = spec_of(*layers, scheduler=schedule, training={"epochs": 10, "batch_size": 30})
    resolved = to_plain(resolve(spec, plan(spec), Path()))
    assert resolved == to_plain(
        spec_of(
            # The turns of the repeat receive four features, then eight: its in_features stay inferred.
            {"repeat": {"times": 2, "layers": ({"linear": 8}, "relu")}},
            {"residual": ({"linear": {"in_features": 8, "out_features": 8}},)},
            {"linear": {"in_features": 8, "out_features": 3}},
            scheduler={"warmup": {"total_iters": 2, "then": {"cosine_annealing": {"interval": "step", "T_max": 32}}}},
            training={"epochs": 10, "batch_size": 30},
        )
    )


@pytest.mark.parametrize(("most", "epochs"), [(None, 9), (100, 9), (54, 9), (53, 8), (13, 2), (11, 1), (1, 1)])
def test_no_more_epochs_than_fit_into_so_many_steps(most: int | None, epochs: int) -> None:
    text = "dataset: diabetes\nlayers: [linear]\nloss: mse\noptimizer: sgd\n"
    text += "scheduler: {cosine_annealing: {interval: step}}\n"
    text += f"training: {{epochs: 9, batch_size: 64, max_steps: {'null' if most is None else most}}}\n"
    made = ffspec.plan(text)
    assert (made.steps_per_epoch, made.epochs) == (6, epochs)
    assert made.schedule[0].call.arguments["T_max"] == 6 * epochs


def test_epochs_stay_where_the_rows_are_unknown() -> None:
    text = (
        "dataset: {csv: {path: a, target: y}}\nlayers: [linear]\nloss: mse\noptimizer: sgd\ntraining: {max_steps: 1}\n"
    )
    assert ffspec.plan(text).epochs == 100
