"""The checks of a spec: what is met, what is not, and what is said of it."""

from __future__ import annotations

import pytest

from ffspec.runner.expectations import Expectation, expectations
from ffspec.spec.metrics import METRICS, larger_is_better
from ffspec.spec.training import Checks

BEFORE = {"train": {"loss": 1.0, "accuracy": 0.5}, "test": {"loss": 1.25, "accuracy": 0.5, "r2": -0.5}}
AFTER = {"train": {"loss": 0.5, "accuracy": 0.75}, "test": {"loss": 1.5, "accuracy": 0.5, "r2": 0.123456}}


def found(**written: object) -> list[Expectation]:
    checks = Checks.model_validate({key.replace("__", "."): value for key, value in written.items()})
    return list(expectations(checks, BEFORE, AFTER))


@pytest.mark.parametrize(
    ("measure", "text", "met"),
    [
        ("train.loss", "1 -> 0.5", True),
        ("test.loss", "1.25 -> 1.5", False),
        ("train.accuracy", "0.5 -> 0.75", True),
        ("test.accuracy", "0.5 -> 0.5", False),
        ("test.r2", "-0.5 -> 0.1235", True),
        ("train.r2", "undefined -> undefined", False),
        ("validation.loss", "undefined -> undefined", False),
    ],
)
def test_improves(measure: str, text: str, met: bool) -> None:
    assert found(improves=measure) == [Expectation(text=f"{measure} improves", found=text, met=met)]


def test_several_in_the_order_written_and_bounds_behind_them() -> None:
    written = {"test.r2": {"min": 0.1}, "improves": ("train.loss", "test.loss"), "test.loss": {"min": 1, "max": 1.25}}
    assert [
        (item.text, item.found, item.met) for item in expectations(Checks.model_validate(written), BEFORE, AFTER)
    ] == [
        ("train.loss improves", "1 -> 0.5", True),
        ("test.loss improves", "1.25 -> 1.5", False),
        ("test.r2 >= 0.1", "0.1235", True),
        ("test.loss >= 1", "1.5", True),
        ("test.loss <= 1.25", "1.5", False),
    ]


@pytest.mark.parametrize(
    ("bound", "met"),
    [({"min": 0.5}, True), ({"max": 0.5}, True), ({"min": 0.50001}, False), ({"max": 0.49999}, False)],
)
def test_a_bound_is_inside_the_range(bound: dict[str, float], met: bool) -> None:
    assert [item.met for item in found(test__accuracy=bound)] == [met]


def test_what_is_undefined_meets_no_bound() -> None:
    (expectation,) = found(train__r2={"min": -100.0})
    assert expectation == Expectation(text="train.r2 >= -100", found="undefined", met=False)


def test_nothing_written_nothing_expected() -> None:
    assert found() == []


def test_which_measures_grow() -> None:
    assert not larger_is_better("test.loss")
    assert not larger_is_better("")
    assert {metric.name for metric in METRICS if not larger_is_better(f"test.{metric.name}")} == {
        "log_loss", "brier", "ece", "rmse", "mse", "mae", "median_absolute_error", "max_error", "mape",
        "p90_absolute_error", "p95_absolute_error",
    }  # fmt: skip
