"""Every shipped spec is sound, runs, and keeps its promises."""

from __future__ import annotations

from pathlib import Path

import pytest

import ffspec
from ffspec.diagnostics import Severity
from tests.generate_docs import SPECS

FOLDER = Path(__file__).parents[1] / "specs"
NEEDED = {"diamonds": FOLDER / "diamonds.parquet"}
"""Data that does not come with ffspec: the spec's comment says how to fetch it."""


def test_every_spec_is_listed() -> None:
    assert sorted(SPECS) == sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_is_sound_and_keeps_its_meaning_when_dumped(name: str) -> None:
    path = FOLDER / f"{name}.yaml"
    assert [item for item in ffspec.check(path) if item.severity is not Severity.INFO] == []
    assert path.read_text().startswith("# yaml-language-server: $schema=../docs/ffspec.schema.json\n# ")
    spec = ffspec.load(path)
    assert spec.name == name
    assert ffspec.load(ffspec.dump(spec)) == spec
    assert spec.checks.improving or spec.checks.bounds


def skip_without_data(name: str) -> None:
    if name in NEEDED and not NEEDED[name].exists():
        pytest.skip(f"{NEEDED[name].name} is not there; the spec says how to fetch it")


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_runs_and_its_checks_hold(name: str) -> None:
    skip_without_data(name)
    result = ffspec.run(FOLDER / f"{name}.yaml")
    assert [item for item in result.expectations if not item.met] == []


@pytest.mark.parametrize("name", SPECS)
def test_a_resolved_spec_runs_to_the_same_bits_from_where_it_stands(name: str, tmp_path: Path) -> None:
    skip_without_data(name)
    first = ffspec.run(FOLDER / f"{name}.yaml", overrides=["training.epochs=2"], out=tmp_path / "a" / "runs")
    assert first.directory is not None
    second = ffspec.run(first.directory / "resolved.yaml", out=tmp_path / "b", allow_outside=True)
    assert second.directory is not None
    weights = [(result / "model.safetensors").read_bytes() for result in (first.directory, second.directory)]
    assert weights[0] == weights[1]
    assert first.history == second.history


@pytest.mark.parametrize("name", ["penguins", "deep_mlp"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_accuracy_is_no_luck_of_the_seed(name: str, seed: int) -> None:
    assert ffspec.run(FOLDER / f"{name}.yaml", seed=seed).after["test"]["accuracy"] >= 0.97


def test_penguins_are_read_as_they_are() -> None:
    cells = [line.split(",") for line in (FOLDER / "penguins.csv").read_text().splitlines()]
    assert sum(not cell for row in cells for cell in row) == 19
    result = ffspec.run(FOLDER / "penguins.yaml", overrides=["training.epochs=1"])
    assert sum(rows or 0 for rows in result.data.facts.rows.values()) == 344
