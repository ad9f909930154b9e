"""The rules that read the rows are silent about healthy data; their benchmark tries many more splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from ffspec import api
from ffspec.diagnostics import Severity
from ffspec.rules import statistics
from tests.bench.data_rules import SETS, example, false_alarms
from tests.test_rows import of_arrays

ROOT = Path(__file__).parent.parent
SPECS = sorted(path for path in (ROOT / "specs").glob("*.yaml") if path.stem != "diamonds")  # its file is not here


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_nothing_is_said_of_the_rows_of_a_shipped_spec(path: Path) -> None:
    found = api.check(path, data=True)
    assert [item for item in found if item.severity is not Severity.INFO] == []


@pytest.mark.parametrize("name", SETS)
def test_random_splits_of_real_data(name: str) -> None:
    assert false_alarms(name, splits=10) == {}


def test_digits_as_they_are() -> None:
    found = api.check("dataset: digits\nlayers: [linear]\nloss: cross_entropy\noptimizer: adam\n", data=True)
    assert [(item.code, item.severity) for item in found] == [("FF201", Severity.INFO)]


@pytest.mark.parametrize("bunch", [load_iris, load_wine, load_breast_cancer, load_digits], ids=lambda one: one.__name__)
def test_real_data_handed_over(bunch: Any) -> None:
    x, y = bunch(return_X_y=True)
    part = "dataset: {arrays: {}, prepare: standardize, split: {validation: 0.2, test: 0.2}}\nlayers: [linear]\n"
    assert of_arrays(part, x, y) == []


GENERATED = [
    "blobs: {n_samples: N, cluster_std: 4}",
    "blobs: {n_samples: N, centers: 6, cluster_std: 3}",
    "moons: {n_samples: N, noise: 0.2}",
    "classification: {n_samples: N, n_features: 5}",
    "classification: {n_samples: N, n_features: 6, n_classes: 3, n_informative: 4}",
    "regression: {n_samples: N, n_features: 5, n_informative: 3, noise: 10}",
    "friedman1: {n_samples: N}",
    "s_curve: {n_samples: N}",
    "swiss_roll: {n_samples: N, noise: 0.1}",
]


@pytest.mark.parametrize("rows", ["24", "100", "{train: 400, test: 100}", "3000"])
@pytest.mark.parametrize("source", GENERATED)
def test_generated_data_under_a_linear_network(source: str, rows: str) -> None:
    numbers = source.partition(":")[0] in {"regression", "friedman1", "s_curve", "swiss_roll"}
    loss = "mse" if numbers else "cross_entropy"
    text = (
        f"dataset: {{{source.replace('N', rows)}}}\nlayers: [linear]\nloss: {loss}\noptimizer: {{sgd: {{lr: 0.1}}}}\n"
    )
    for seed in range(3):
        assert api.check(text, overrides=[f"seed={seed}"], data=True) == ()


@pytest.mark.parametrize(("rows", "columns", "classes"), [(30, 1, 2), (60, 2, 2), (300, 5, 3), (2000, 20, 2)])
def test_noise_is_no_quadric(rows: int, columns: int, classes: int) -> None:
    for seed in range(5):
        draw = np.random.default_rng(seed)
        data = draw.normal(size=(rows, columns)), draw.integers(0, classes, rows)
        assert of_arrays("dataset: {arrays: {}, split: none}\nlayers: [linear]\n", *data) == []


def test_hours_of_learning_and_an_examination_passed() -> None:
    for seed in range(20):
        draw = np.random.default_rng(seed)
        hours = draw.integers(0, 10, (20, 1)).astype(float)
        passed = (hours[:, 0] + draw.normal(0, 2, 20) > 5).astype(int)
        assert of_arrays("dataset: {arrays: {}, split: none}\nlayers: [linear]\n", hours, passed) == []


def test_answers_to_a_questionnaire() -> None:
    for seed in range(20):
        draw = np.random.default_rng(seed)
        x = draw.integers(0, 2, (60, 12)).astype(float)
        y = (x[:, 0] + draw.normal(size=60) > 0.5).astype(int)
        assert of_arrays("dataset: {arrays: {}, split: none}\nlayers: [linear]\n", x, y) == []


def test_pairs_that_a_random_split_parts_are_no_leak() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(100, 3))
    x[:10] = x[10:20]
    data = x, x.sum(axis=1)
    part = "dataset: arrays\nlayers: [linear]\nloss: mse\noptimizer: {sgd: {lr: 0.1}}\n"
    for seed in range(30):
        assert of_arrays(f"seed: {seed}\n{part}", *data) == []


def test_the_benchmark_can_be_run() -> None:
    drafted, loaded = example("classes", 1000)
    assert drafted.facts is loaded.facts
    assert statistics.shares(loaded.splits["train"].y, 3).min() > 0.1
