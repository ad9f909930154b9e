"""What the parts of a spec say of each other, and what would stop PyTorch: the whole of every message."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import ffspec
from ffspec.diagnostics import Diagnostic, Severity, SpecError
from ffspec.rules import examine
from ffspec.spec.facts import Facts
from ffspec.spec.root import Spec

SPLIT = {"iris": {}, "split": {"validation": 0.2, "test": 0.2}}
SPEC: dict[str, Any] = {
    "dataset": "iris",
    "layers": ({"linear": 8}, "relu", "linear"),
    "loss": "cross_entropy",
    "optimizer": "adam",
}
OF_CLASSES = (
    "metrics of classes: accuracy, balanced_accuracy, precision, recall, f1, matthews_corrcoef, cohen_kappa, roc_auc, "
    "average_precision, log_loss, brier, ece"
)
OF_NUMBERS = (
    "metrics of numbers: r2, rmse, mse, mae, median_absolute_error, p90_absolute_error, p95_absolute_error, max_error, "
    "mape, explained_variance"
)
UNLIKE = "must be a split and a measure, such as test.loss, found '{}'"
WATCH = "training must not watch the test split, found '{}'"
INSTEAD = "watch validation.loss: what chose the weights cannot judge them"
MISSING = "'{}' needs a validation split, and the dataset has none"
SPLITTING = "write split: {validation: 0.1, test: 0.2} under dataset"
NUMBERS = {"dataset": "diabetes", "loss": "mse"}


def errors_of(parts: dict[str, Any], facts: Facts | None = None) -> list[Diagnostic]:
    """Return the errors, without the edits that would mend them."""
    found = examine(parts, facts)
    return [replace(item, edit=None) for item in found if item.severity is Severity.ERROR]


def parts_of(parts: dict[str, Any]) -> dict[str, Any]:
    return dict(Spec.model_validate({**SPEC, **parts}))


def plateau(**arguments: Any) -> dict[str, Any]:
    return {"reduce_on_plateau": arguments}


FAULTS: list[tuple[dict[str, Any], Diagnostic]] = [
    (
        {"checks": {"improves": "test.acuracy"}},
        Diagnostic(
            code="FF025",
            message=UNLIKE.format("test.acuracy"),
            path=("checks", "improves"),
            hint="did you mean 'test.accuracy'?",
        ),
    ),
    (
        {"checks": {"improves": ("test.loss", "loss")}},
        Diagnostic(
            code="FF025",
            message=UNLIKE.format("loss"),
            path=("checks", "improves", 1),
            hint="did you mean 'test.loss'?",
        ),
    ),
    (
        {"checks": {"xyz": {"min": 0.5}}},
        Diagnostic(
            code="FF025",
            message=UNLIKE.format("xyz"),
            path=("checks", "xyz"),
            at_key=True,
            hint="the splits are train, test",
        ),
    ),
    (
        {"checks": {"validation.loss": {"max": 0.5}}},
        Diagnostic(
            code="FF025",
            message="the dataset has no validation split to measure",
            path=("checks", "validation.loss"),
            at_key=True,
            hint="the splits are train, test",
        ),
    ),
    (
        {"checks": {"test.r2": {"min": 0.5}}},
        Diagnostic(
            code="FF027",
            message="r2 measures numbers, but the target is classes",
            path=("checks", "test.r2"),
            at_key=True,
            hint=OF_CLASSES,
        ),
    ),
    (
        {"metrics": ("accuracy", "rmse")},
        Diagnostic(
            code="FF027",
            message="rmse measures numbers, but the target is classes",
            path=("metrics", 1),
            hint=OF_CLASSES,
        ),
    ),
    (
        {**NUMBERS, "metrics": ("r2", "log_loss")},
        Diagnostic(
            code="FF027",
            message="log_loss measures classes, but the target is numbers",
            path=("metrics", 1),
            hint=OF_NUMBERS,
        ),
    ),
    (
        {"training": {"early_stopping": {"monitor": "test.loss"}}},
        Diagnostic(
            code="FF026",
            message=WATCH.format("test.loss"),
            path=("training", "early_stopping", "monitor"),
            hint=INSTEAD,
        ),
    ),
    (
        {"training": {"early_stopping": {}}},
        Diagnostic(
            code="FF026",
            message=MISSING.format("validation.loss"),
            path=("training", "early_stopping", "monitor"),
            hint=SPLITTING,
        ),
    ),
    (
        {"dataset": SPLIT, "training": {"early_stopping": {"monitor": "validation.f2"}}},
        Diagnostic(
            code="FF025",
            message=UNLIKE.format("validation.f2"),
            path=("training", "early_stopping", "monitor"),
            hint="did you mean 'validation.f1'?",
        ),
    ),
    (
        {"scheduler": plateau(monitor="test.accuracy")},
        Diagnostic(
            code="FF026",
            message=WATCH.format("test.accuracy"),
            path=("scheduler", "reduce_on_plateau", "monitor"),
            hint=INSTEAD,
        ),
    ),
    (
        {"scheduler": {"warmup": {"total_iters": 2, "then": plateau(monitor="validation.loss")}}},
        Diagnostic(
            code="FF026",
            message=MISSING.format("validation.loss"),
            path=("scheduler", "warmup", "then", "reduce_on_plateau", "monitor"),
            hint=SPLITTING,
        ),
    ),
    (
        {"dataset": SPLIT, "scheduler": plateau(monitor="validation.r2")},
        Diagnostic(
            code="FF027",
            message="r2 measures numbers, but the target is classes",
            path=("scheduler", "reduce_on_plateau", "monitor"),
            hint=OF_CLASSES,
        ),
    ),
    (
        {"layers": ("relu",), "loss": "mse", "dataset": {"friedman2": {"n_samples": 20}}},
        Diagnostic(
            code="FF114",
            message="the output must have the target's shape, one column, found 4",
            path=("layers", 0),
            hint="end the layers with linear: 1",
        ),
    ),
    (
        {
            "dataset": {"blobs": {"n_samples": 20, "n_features": 3, "centers": 3}},
            "layers": ({"dropout": 0.5}, "tanhshrink"),
        },
        Diagnostic(
            code="FF023",
            message="the layers must have something to learn, found no parameter in them",
            path=("layers",),
            hint="add a linear",
        ),
    ),
    (
        {"loss": {"cross_entropy": {"weight": (1.0, 2.0)}}},
        Diagnostic(
            code="FF028",
            message="weight must have one number for each of the 3 classes, found 2",
            path=("loss", "cross_entropy", "weight"),
            hint="balanced computes them from the training rows",
        ),
    ),
    (
        {"dataset": "breast_cancer", "loss": "bce", "layers": ("linear", "sigmoid", {"dropout": 0.5})},
        Diagnostic(
            code="FF104",
            message="bce needs probabilities, but the layers end with dropout",
            path=("layers", 2),
            hint="leave it out",
        ),
    ),
    (
        {"layers": ("linear", {"residual": ("batch_norm",)}), "training": {"batch_size": 17}},
        Diagnostic(
            code="FF119",
            path=("training", "batch_size"),
            hint="write drop_last: true, or another batch_size",
            message="batch_norm needs two rows or more in every training batch, found one left over from 120 rows "
            "in batches of 17",
        ),
    ),
    (
        {"layers": ("linear", "batch_norm"), "training": {"batch_size": 1, "drop_last": True}},
        Diagnostic(
            code="FF119",
            path=("training", "batch_size"),
            hint="write another batch_size, or layer_norm",
            message="batch_norm needs two rows or more in every training batch, found batches of one row",
        ),
    ),
    (
        {"training": {"batch_size": 121, "drop_last": True}},
        Diagnostic(
            code="FF124",
            message="drop_last must leave a batch, but the 120 training rows do not fill one of 121",
            path=("training", "drop_last"),
            hint="write a smaller batch_size, or batch_size: all",
        ),
    ),
]


@pytest.mark.parametrize(("parts", "expected"), FAULTS, ids=[str(parts) for parts, _ in FAULTS])
def test_what_is_said(parts: dict[str, Any], expected: Diagnostic) -> None:
    assert errors_of(parts_of(parts)) == [expected]


SOUND: list[dict[str, Any]] = [
    {"checks": {"improves": ("test.loss", "train.accuracy"), "test.roc_auc": {"min": 0.9}}},
    {"dataset": SPLIT, "training": {"early_stopping": {}}, "scheduler": plateau(monitor="validation.accuracy")},
    {"training": {"early_stopping": {"monitor": "train.loss"}}},
    {"scheduler": "reduce_on_plateau"},
    {"dataset": SPLIT, "scheduler": {"warmup": {"total_iters": 2, "then": plateau(monitor="validation.f1")}}},
    {"dataset": "arrays", "training": {"early_stopping": {}, "batch_size": 1000, "drop_last": True}},
    {"dataset": "arrays", "loss": "mse", "metrics": ("r2",), "checks": {"validation.r2": {"min": 0}}},
    {"dataset": "arrays", "layers": ("batch_norm", "linear")},
    {"loss": {"cross_entropy": {"weight": (1.0, 2.0, 3.0)}}},
    {"loss": {"nll": {"weight": "balanced"}}, "layers": ("linear", "log_softmax")},
    {"dataset": "breast_cancer", "loss": "bce", "layers": ("linear", "hardsigmoid", "identity")},
    {"dataset": "breast_cancer", "loss": "bce", "layers": ("linear", {"hardtanh": {"min_val": 0.0, "max_val": 1.0}})},
    {"layers": ("batch_norm", "linear"), "training": {"batch_size": 17, "drop_last": True}},
    {"layers": ("batch_norm", "linear"), "training": {"batch_size": "all"}},
    {"training": {"batch_size": 17}},
    {"training": {"batch_size": 120, "drop_last": True}},
]


@pytest.mark.parametrize("parts", SOUND, ids=str)
def test_what_nothing_is_said_of(parts: dict[str, Any]) -> None:
    assert errors_of(parts_of(parts)) == []


def test_loaded_data_tells_more_than_the_spec() -> None:
    parts = parts_of({"dataset": "arrays", "metrics": ("accuracy",), "training": {"early_stopping": {}}, "loss": "mse"})
    facts = Facts(features=2, target="values", outputs=1, rows={"train": 33, "test": 9})
    assert [(item.code, item.path[0]) for item in errors_of(parts, facts)] == [
        ("FF026", "training"),
        ("FF027", "metrics"),
    ]


def test_what_the_data_alone_shows_is_said_before_training() -> None:
    text = "dataset: arrays\nlayers: [{linear: 4}, batch_norm, relu, linear]\nloss: cross_entropy\noptimizer: adam\n"
    x, y = [[float(row)] for row in range(9)], [0, 1, 2] * 3
    with pytest.raises(SpecError) as caught:
        ffspec.run(
            text + "training: {batch_size: 3}\n",
            allow=["FF120"],
            data={"train": (x[:7], y[:7]), "test": (x[7:], y[7:])},
        )
    assert str(caught.value) == (
        "<text>:5:24: error[FF119]: batch_norm needs two rows or more in every training batch, found one left over "
        "from 7 rows in batches of 3\n"
        "    5 | training: {batch_size: 3}\n"
        "      |                        ^ write drop_last: true, or another batch_size\n"
        "1 error"
    )
