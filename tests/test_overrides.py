"""`--set path=value`: what it changes, and what it says when it cannot."""

from __future__ import annotations

import pytest

from ffspec import document
from ffspec.spec.base import to_plain

TEXT = """\
dataset: {blobs: 50, prepare: standardize}
layers:
  - linear: 10
  - relu
  - residual: [{linear: 10}, relu]
  - linear
loss: cross_entropy
optimizer: adam
checks:
  test.accuracy: {min: 0.9}
"""


def changed(*overrides: str) -> dict[str, object]:
    """Return what the overrides change in the spec, by top-level key."""
    before, after = document.parse(TEXT), document.parse(TEXT, overrides=overrides)
    assert after.diagnostics == ()
    assert before.spec is not None
    assert after.spec is not None
    old, new = to_plain(before.spec), to_plain(after.spec)
    assert isinstance(old, dict)
    assert isinstance(new, dict)
    return {key: value for key, value in new.items() if key not in old or value != old[key]}


LAYERS = ({"linear": 10}, "relu", {"residual": ({"linear": 10}, "relu")}, "linear")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed=7", {"seed": 7}),
        ("name=xor", {"name": "xor"}),
        ("description=yes", {"description": "yes"}),
        ("optimizer=sgd", {"optimizer": "sgd"}),
        ("optimizer={sgd: {lr: 0.1}}", {"optimizer": {"sgd": 0.1}}),
        ("optimizer.adam.lr=0.1", {"optimizer": {"adam": 0.1}}),
        ("optimizer.adam.lr=1e-1", {"optimizer": {"adam": 0.1}}),
        ("optimizer.adam.betas.1=0.5", None),
        ("optimizer.adam.betas=[0.5, 0.6]", {"optimizer": {"adam": {"betas": (0.5, 0.6)}}}),
        ("scheduler.step.step_size=3", {"scheduler": {"step": 3}}),
        ("training.epochs=3", {"training": {"epochs": 3}}),
        ("training.batch_size=all", {"training": {"batch_size": "all"}}),
        ("training.early_stopping.patience=3", {"training": {"early_stopping": {"patience": 3}}}),
        ("layers.0.linear=32", {"layers": ({"linear": 32}, *LAYERS[1:])}),
        ("layers.0.linear.out_features=32", {"layers": ({"linear": 32}, *LAYERS[1:])}),
        ("layers.0.linear.bias=false", {"layers": ({"linear": {"out_features": 10, "bias": False}}, *LAYERS[1:])}),
        ("layers.1=tanh", {"layers": (LAYERS[0], "tanh", *LAYERS[2:])}),
        ("layers.-1.linear.bias=false", {"layers": (*LAYERS[:3], {"linear": {"bias": False}})}),
        (
            "layers.2.residual.layers.0.linear=12",
            {"layers": (*LAYERS[:2], {"residual": ({"linear": 12}, "relu")}, LAYERS[3])},
        ),
        ("dataset=iris", {"dataset": "iris"}),
        ("dataset.blobs.centers=2", {"dataset": {"blobs": {"n_samples": 50, "centers": 2}, "prepare": "standardize"}}),
        (
            "dataset.prepare.missing=mean",
            {"dataset": {"blobs": 50, "prepare": {"scale": "standardize", "missing": "mean"}}},
        ),
        ("dataset.split=none", {"dataset": {"blobs": 50, "split": "none", "prepare": "standardize"}}),
        ("checks.test.accuracy.min=0.5", {"checks": {"test.accuracy": {"min": 0.5}}}),
        ("checks.test.loss.max=1", {"checks": {"test.accuracy": {"min": 0.9}, "test.loss": {"max": 1.0}}}),
        ("checks.improves=test.loss", {"checks": {"improves": "test.loss", "test.accuracy": {"min": 0.9}}}),
    ],
)
def test_what_an_override_changes(override: str, expected: dict[str, object] | None) -> None:
    if expected is None:  # the list is not written in the file, so it has no items
        opened = document.parse(TEXT, overrides=(override,))
        assert [item.code for item in opened.diagnostics] == ["FF010"]
    else:
        assert changed(override) == expected


def test_overrides_follow_one_another() -> None:
    assert changed("optimizer=sgd", "optimizer.sgd.lr=0.1", "optimizer.sgd.momentum=0.9", "optimizer.sgd.lr=0.2") == {
        "optimizer": {"sgd": {"lr": 0.2, "momentum": 0.9}}
    }


def test_an_override_can_complete_a_spec() -> None:
    text = TEXT.replace("optimizer: adam\n", "")
    assert [item.code for item in document.parse(text).diagnostics] == ["FF011"]
    assert document.parse(text, overrides=("optimizer=adam",)).spec == document.parse(TEXT).spec


def rendered(*overrides: str, text: str = TEXT) -> str:
    opened = document.parse(text, overrides=overrides)
    return opened.render(opened.diagnostics)


@pytest.mark.parametrize(
    ("override", "column", "width", "fault"),
    [
        ("training.epochs=ten", 23, 3, "error[FF013]: epochs must be a whole number, found 'ten'"),
        ("optimizer.adam.lr=-1", 25, 2, "error[FF015]: lr must be at least 0, found -1"),
        ("optimizer.adam.lrr=1", 22, 3, "error[FF012]: unknown key 'lrr'"),
        ("optimizer={adam: {lrr: 1}}", 25, 3, "error[FF012]: unknown key 'lrr'"),
        ("layers.0.linear=0", 23, 1, "error[FF015]: out_features must be at least 1, found 0"),
        ("layers.1=rellu", 16, 5, "error[FF014]: unknown layer 'rellu'"),
        ("layers.2.residual=[relu, rellu]", 32, 5, "error[FF014]: unknown layer 'rellu'"),
        ("layers.1={relu: 3}", 23, 1, "error[FF016]: the arguments of 'relu' must be a mapping, found 3"),
        ("epochs=3", 7, 6, "error[FF012]: unknown key 'epochs'"),
        ("seed=", 12, 1, "error[FF013]: seed must be a whole number, found nothing"),
        ("seed=010", 12, 3, "error[FF008]: whole numbers must not start with 0, found 010"),
        ("seed=[1", 14, 1, "error[FF003]: the list that begins with '[' on line 1 needs ',' or ']' before this"),
        ("scheduler.step.gamma=0.1", 7, 20, "error[FF011]: 'step' needs 'step_size'"),
        ("seed.x=1", 7, 6, "error[FF010]: a value has no keys under it, found 'x'"),
        ("seed", 7, 4, "error[FF010]: an override must be path=value, found 'seed'"),
        ("=1", 7, 1, "error[FF010]: an override must be path=value, found '=1'"),
        ("a..b=1", 7, 4, "error[FF010]: an override must be path=value, found 'a..b=1'"),
        ("layers.9=relu", 7, 8, "error[FF010]: there is no item 9: the numbers here go from 0 to 3"),
        (
            "layers[1]=relu",
            *(7, 9),
            "error[FF010]: an item of a list is named by its number behind a dot, found 'layers[1]'",
        ),
        ("layers.x=relu", 7, 8, "error[FF010]: an item of a list is named by its number, found 'x'"),
        ("layers.²=relu", 7, 8, "error[FF010]: an item of a list is named by its number, found '²'"),
        ("layers.1.tanh.x=3", 7, 15, "error[FF010]: the layer is 'relu', not 'tanh'"),
        ("layers.0.out_features=3", 7, 21, "error[FF010]: the path must name the layer, found 'out_features'"),
        ("layers.0.x=3", 7, 10, "error[FF010]: the layer is 'linear', found 'x'"),
        ("optimizer.sgd.lr=3", 7, 16, "error[FF010]: the optimizer is 'adam', not 'sgd'"),
        ("optimizer.lr=3", 7, 12, "error[FF010]: the path must name the optimizer, found 'lr'"),
        ("dataset.moons.noise=3", 7, 19, "error[FF010]: the dataset is 'blobs', not 'moons'"),
        ("dataset.n_samples=3", 7, 17, "error[FF010]: the path must name the dataset, found 'n_samples'"),
    ],
)
def test_what_an_override_says(override: str, column: int, width: int, fault: str) -> None:
    head, line, under, *_, summary = rendered(override).splitlines()
    assert head == f"--set {override}: {fault}"
    assert line == f"      | --set {override}"
    assert under.partition("^")[0] == "      | " + " " * (column - 1)
    assert under.count("^") == width
    assert summary == "1 error"


def test_faults_of_the_file_come_first_and_overrides_in_their_order() -> None:
    text = TEXT.replace("relu\n", "rellu\n", 1)
    heads = [
        line for line in rendered("seed=x", "optimizer.sgd.lr=1", "name=3", text=text).splitlines() if "error[" in line
    ]
    assert [line.partition(": ")[0] for line in heads] == [
        "<text>:4:5",
        "--set seed=x",
        "--set optimizer.sgd.lr=1",
        "--set name=3",
    ]


def test_a_good_override_mends_a_fault_of_the_file() -> None:
    assert rendered("seed=3", text="seed: x\n" + TEXT) == ""


def test_overrides_of_what_cannot_be_read_are_left_alone() -> None:
    assert rendered("seed=3", text="[").splitlines()[-1] == "1 error"


def test_a_value_on_two_lines_is_shown_by_its_line() -> None:
    assert rendered("layers=[relu,\n rellu]").splitlines() == [
        "--set layers=[relu,  rellu]: error[FF014]: unknown layer 'rellu'",
        "      |  rellu]",
        "      |  ^^^^^ did you mean 'relu'?",
        "1 error",
    ]
