"""Generated and packaged data: what scikit-learn gives, from one distribution, and the same every time."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn import datasets

from ffspec.data.generated import generate
from ffspec.seeds import derive
from ffspec.spec.dataset import SOURCES, Dataset
from ffspec.spec.generators import Generator, Spirals
from tests.dataloading import loaded

OURS = {"xor", "spirals"}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("blobs", {}),
    ("blobs", {"n_features": 3, "centers": 4, "cluster_std": [1.0, 2.0, 0.5, 0.0], "center_box": [-1.0, 1.0]}),
    ("blobs", {"centers": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], "shuffle": False}),
    ("moons", {"noise": 0.1}),
    ("moons", {"shuffle": False}),
    ("circles", {"noise": 0.1, "factor": 0.3}),
    ("circles", {"shuffle": False}),
    ("classification", {}),
    (
        "classification",
        {"n_classes": 3, "n_informative": 5, "weights": [0.5, 0.3], "shift": "random", "scale": "random"},
    ),
    ("classification", {"n_features": 4, "shift": [0.0, 1.0, 2.0, 3.0], "hypercube": False}),
    ("regression", {"n_targets": 2, "noise": 1.0, "bias": 3.0}),
    ("regression", {"n_features": 10, "effective_rank": 3}),
    ("gaussian_quantiles", {"mean": [1.0, 2.0], "cov": 2.0}),
    ("friedman1", {"n_features": 7, "noise": 0.1}),
    ("friedman2", {"noise": 0.1}),
    ("friedman3", {}),
    ("s_curve", {"noise": 0.1}),
    ("swiss_roll", {"noise": 0.1, "hole": True}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=[f"{name} {arguments}"[:70] for name, arguments in CASES])
@pytest.mark.parametrize("rows", [50, 51])
def test_a_generator_gives_what_scikit_learn_gives(name: str, arguments: dict[str, Any], rows: int) -> None:
    source = Dataset.model_validate({name: {**arguments, "n_samples": rows, "random_state": 7}}).source
    assert isinstance(source, Generator)
    passed: dict[str, Any] = {key: None if value == "random" else value for key, value in arguments.items()}
    if "center_box" in passed:
        passed["center_box"] = tuple(passed["center_box"])
    x, y = getattr(datasets, f"make_{name}")(n_samples=rows, random_state=7, **passed)
    raw = generate(source, seed=0)
    assert np.array_equal(raw.x, x)
    assert np.array_equal(raw.target.values, y)


def test_every_generator_is_compared() -> None:
    generators = {source.name for source in SOURCES if issubclass(source, Generator)}
    assert generators == {name for name, _ in CASES} | OURS


def test_without_a_state_of_its_own_a_generator_follows_the_seed() -> None:
    x, _ = datasets.make_moons(100, noise=0.1, random_state=derive(5, "data", bits=32))
    rows = loaded({"moons": {"noise": 0.1}, "split": "none"}, seed=5).splits["train"].x
    assert np.array_equal(rows, x)


def test_four_rows_of_xor_are_the_truth_table() -> None:
    train = loaded({"xor": 4, "split": "none"}).splits["train"]
    assert train.x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert train.y.tolist() == [0, 1, 1, 0]


def test_xor_with_noise_stays_around_its_corners() -> None:
    raw = generate(Dataset.model_validate({"xor": {"n_samples": 4000, "noise": 0.1}}).source, 0)  # type: ignore[arg-type]
    corners = np.round(raw.x)
    distance = raw.x - corners
    assert np.array_equal(corners[:, 0] != corners[:, 1], raw.target.values == 1)
    assert np.abs(distance.mean(axis=0)).max() < 0.01
    assert np.abs(distance.std(axis=0) - 0.1).max() < 0.005


def test_the_arms_of_a_spiral_are_turned_copies_of_one_curve() -> None:
    source = Spirals(n_samples=300, n_classes=3, turns=2.0)
    raw = generate(source, 0)
    radius = np.hypot(*raw.x.T)
    assert 0.1 <= radius.min() <= radius.max() <= 1
    angle = np.arctan2(raw.x[:, 1], raw.x[:, 0]) - 2 * np.pi * (2.0 * radius + raw.target.values / 3)
    turns = angle / (2 * np.pi)
    assert np.allclose(turns, np.round(turns), atol=1e-9)
    assert np.bincount(raw.target.values).tolist() == [100, 100, 100]


def test_centres_are_grouped_into_classes() -> None:
    value = {"n_samples": 90, "random_state": 1}
    own = generate(Dataset.model_validate({"blobs": value}).source, 0)  # type: ignore[arg-type]
    grouped = generate(Dataset.model_validate({"blobs": {**value, "labels": [7, 3, 7]}}).source, 0)  # type: ignore[arg-type]
    assert grouped.target.classes == (3, 7)
    assert np.array_equal(grouped.x, own.x)
    assert np.array_equal(grouped.target.values, np.array([1, 0, 1])[own.target.values])


def test_all_splits_come_from_one_distribution() -> None:
    value = {"n_samples": {"train": 3000, "test": 3000}, "centers": 4, "cluster_std": 1.0}
    splits = loaded({"blobs": value}, seed=3).splits
    train, test = splits["train"], splits["test"]
    for centre in range(4):
        difference = train.x[train.y == centre].mean(axis=0) - test.x[test.y == centre].mean(axis=0)
        assert np.abs(difference).max() < 0.2, "six standard errors"


PACKAGED: list[tuple[str, tuple[Any, ...] | None]] = [
    ("iris", ("setosa", "versicolor", "virginica")),
    ("wine", ("class_0", "class_1", "class_2")),
    ("breast_cancer", ("malignant", "benign")),
    ("digits", tuple(range(10))),
    ("diabetes", None),
]


@pytest.mark.parametrize(("name", "classes"), PACKAGED, ids=[name for name, _ in PACKAGED])
def test_a_packaged_set_is_scikit_learns(name: str, classes: tuple[Any, ...] | None) -> None:
    data = loaded({name: {}, "split": "none"})
    bunch = getattr(datasets, f"load_{name}")()
    assert np.array_equal(data.splits["train"].x, bunch.data)
    assert np.array_equal(data.splits["train"].y.reshape(-1), bunch.target)
    assert data.classes == classes
    assert data.features == tuple(bunch.feature_names)


@pytest.mark.parametrize("value", ["blobs", "classification", "spirals", "iris"])
def test_two_loads_are_identical_and_leave_the_global_state_alone(value: str) -> None:
    np.random.seed(123)  # noqa: NPY002 - it is the global state that is looked at
    before, python = np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002
    first = loaded(value, seed=4)
    np.random.seed(99)  # noqa: NPY002
    second = loaded(value, seed=4)
    np.random.seed(123)  # noqa: NPY002
    third, other = loaded(value, seed=4), loaded(value, seed=5)
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    assert repr(before) == repr(after)
    assert random.getstate() == python
    for name, split in first.splits.items():
        for again in (second, third):
            assert split.x.tobytes() == again.splits[name].x.tobytes()
            assert split.y.tobytes() == again.splits[name].y.tobytes()
    assert first.splits["train"].x.tobytes() != other.splits["train"].x.tobytes()


@pytest.mark.parametrize("value", ["blobs", "moons", "circles", "xor", "spirals"])
def test_what_is_drawn_in_numpy_does_not_import_scikit_learn(value: str) -> None:
    code = (
        "import pathlib, sys; from ffspec.data import load; from ffspec.spec.dataset import Dataset;"
        f"load(Dataset.model_validate('{value}'), seed=0, directory=pathlib.Path()); print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in found
    assert not {"sklearn", "polars", "torch", "scipy"} & set(found)
