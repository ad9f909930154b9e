"""The JSON Schema: fresh, a draft 7 schema, and of one mind with the reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from ffspec import document, schema
from ffspec.cli.schema import FILE
from tests.generate_schema import COPIES

ROOT = Path(__file__).parents[1]
SPEC: dict[str, Any] = {
    "dataset": "iris",
    "layers": [{"linear": 8}, "relu", "linear"],
    "loss": "cross_entropy",
    "optimizer": {"adam": {"lr": 0.01}},
}
OTHERWISE_READ = {
    "epochs_float",  # 10.0: JSON has one kind of number
    "epochs_underscore",  # 1_000: a number in YAML 1.1
    "line_separators",  # U+2028: the end of a line in YAML 1.1
}
"""Bad files in which check-jsonschema reads something else than YAML 1.2 has it."""


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    made = schema.schema()
    Draft7Validator.check_schema(made)
    return Draft7Validator(made)


@pytest.mark.parametrize("copy", COPIES, ids=lambda copy: copy.parent.name)
def test_the_committed_schema_is_fresh(copy: Path) -> None:
    assert copy.read_text(encoding="utf-8") == schema.text(), "run python -m tests.generate_schema"


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_specs_are_valid(path: Path, validator: Draft7Validator) -> None:
    assert list(validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"layers": [{"linear": {"out_features": 8, "bias": False, "init": "zeros"}}, {"residual": ["relu"]}, "linear"]},
        {"layers": ["rellu"]},
        {"layers": [{"linear": 0}]},
        {"layers": [{"linear": 8, "relu": {}}]},
        {"layers": ["threshold"]},
        {"layers": [{"repeat": {"times": 2, "layers": ["tanh", {"dropout": 0.5}]}}, "linear"]},
        {"layers": []},
        {"optimizer": {"adam": {"lr": "fast"}}},
        {"optimizer": {"adam": {"betas": [0.9, 0.99]}}},
        {"optimizer": {"adam": {"betas": [0.9, 1.5]}}},
        {"training": {"batch_size": "all", "epochs": 3}},
        {"training": {"batch_size": "some"}},
        {"training": {"epoch": 3}},
        {"checks": {"improves": "test.loss", "test.accuracy": {"min": 0.9}}},
        {"checks": {"improves": ["test.loss"], "test.accuracy": 0.9}},
        {"dataset": {"iris": {}, "split": {"test": 0.3}, "prepare": "standardize"}},
        {"dataset": {"split": {"test": 0.3}}},
        {"dataset": {"blobs": {"n_samples": {"train": 8, "test": 2}, "centers": 3}}},
        {"dataset": {"blobs": {"n_sample": 8}}},
        {"scheduler": {"warmup": {"total_iters": 3, "then": "cosine_annealing"}}},
        {"scheduler": {"warmup": {"then": "cosine_annealing"}}},
        {"metrics": ["accuracy", "f1"]},
        {"metrics": ["acuracy"]},
        {"dataset": {"iris": None, "wine": None}},
        {"dataset": {"csv": "flowers.csv"}},
        {"dataset": {"csv": {"path": "flowers.csv", "target": "kind", "drop": []}}},
        {"dataset": {"blobs": {"train": 8, "test": 2}}},
        {"metrics": ["accuracy"] * 101},
        {"sed": 3},
        {"seed": -1},
    ],
    ids=str,
)
def test_schema_and_reader_agree(change: dict[str, Any], validator: Draft7Validator) -> None:
    value = {**SPEC, **change}
    read = document.parse(yaml.safe_dump(value))
    assert validator.is_valid(value) == (not read.diagnostics)


def test_check_jsonschema_gives_the_same_verdict() -> None:
    broken = [path for path in sorted((ROOT / "tests" / "bad").glob("*.yaml")) if structural(path)]
    shipped = sorted((ROOT / "specs").glob("*.yaml"))
    assert len(broken) >= 50
    assert judged_broken([*shipped, *broken]) == set(broken)


def structural(path: Path) -> bool:
    """Return whether a file is YAML, but no spec: how it is written is no matter of a schema."""
    opened = document.load(path)
    return bool(opened.diagnostics) and not opened.source.diagnostics and path.stem not in OTHERWISE_READ


def judged_broken(paths: list[Path]) -> set[Path]:
    """Return the files in which the command finds a fault."""
    command = [sys.executable, "-m", "check_jsonschema", "-o", "json", "--schemafile", str(FILE), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    assert report["parse_errors"] == []
    return {Path(error["filename"]) for error in report["errors"]}
