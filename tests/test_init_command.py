"""`ffspec init`: what it writes and says, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ffspec.cli import _exit_code
from tests import newcomers
from tests.test_imports import imported


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A newcomer's folder, with the penguins in it."""
    newcomers.penguins(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """Run the command, and return what it prints."""
    assert _exit_code(["init", *arguments]) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_from_a_table_to_a_network(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, 0, "penguins.csv", "--target", "species") == (
        "wrote penguins.yaml: 'species', 3 classes, from 7 columns of 344 rows\n"
        "train it with: ffspec run penguins.yaml\n"
    )
    assert _exit_code(["check", "--data", "penguins.yaml"]) == 0
    assert _exit_code(["run", "penguins.yaml", "-q"]) == 0


def test_it_says_what_it_leaves_out(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newcomers.troubles(here)
    assert said(capsys, 0, "customers.csv", "--target", "left", "--out", "churn.yaml") == (
        "wrote churn.yaml: 'left', 2 classes, from 8 columns of 609 rows\n"
        "left out, with the reason in the file: 'customer_id', 'revenue', 'discount', 'spent_again', 'spent_cents', "
        "'currency' and 4 more\n"
        "train it with: ffspec run churn.yaml\n"
    )


def test_it_writes_beside_the_data(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "data").mkdir()
    newcomers.penguins(here / "data")
    assert said(capsys, 0, "data/penguins.csv", "--target", "body_mass_g", "--recipe", "plain").startswith(
        "wrote data/penguins.yaml: 'body_mass_g', numbers, from 7 columns of 342 rows\n"
    )
    assert "    path: penguins.csv\n" in (here / "data" / "penguins.yaml").read_text("utf-8")
    said(capsys, 0, "data/penguins.csv", "--target", "species", "--out", "above.yaml")
    assert "    path: data/penguins.csv\n" in (here / "above.yaml").read_text("utf-8")
    assert said(capsys, 2, "penguins.csv", "--target", "species", "--out", "data/other.yaml") == (
        "penguins.csv: error[FF038]: the spec must lie in the folder of its data, or above it, found data\n"
        "      = write it there: the data may lie beside the spec, or in a folder below\n"
        "1 error\n"
    )
    assert not (here / "data" / "other.yaml").exists()


def test_it_overwrites_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "penguins.yaml").write_text("mine", "utf-8")
    assert said(capsys, 4, "penguins.csv", "--target", "species") == (
        "error: penguins.yaml is there already; name another file with --out\n"
    )
    assert (here / "penguins.yaml").read_text("utf-8") == "mine"
    assert said(capsys, 4, "penguins.csv", "--target", "species", "--out", "x" * 300) == (
        f"error: cannot write {'x' * 300}: file name too long\n"
    )


REFUSED = {
    ("penguin.csv", "species"): (
        "penguin.csv: error[FF030]: there is no file penguin.csv\n      = did you mean 'penguins.csv'?\n"
    ),
    ("penguins.csv", "Species"): (
        "penguins.csv: error[FF031]: there is no column 'Species'\n      = did you mean 'species'?\n"
    ),
    ("short.csv", "a"): "short.csv: error[FF035]: a table must have at least 10 rows, found 3\n",
    ("bare.csv", "species"): (
        "bare.csv: error[FF031]: the first line must name the columns, found '5.1', '3.5' and 'setosa'\n"
        "      = write a line with the names of the columns above it\n"
    ),
    ("odd.csv", "same"): "odd.csv: error[FF034]: the target 'same' must vary, but is '1' in every row\n",
    ("odd.csv", "day"): "odd.csv: error[FF034]: the target 'day' must be classes or numbers, found dates\n",
    ("odd.csv", "name"): (
        "odd.csv: error[FF034]: the target 'name' must be classes or numbers, found 40 different texts in 40 rows\n"
    ),
    ("odd.csv", "money"): (
        "odd.csv: error[FF033]: the target 'money' must hold plain numbers, found '1,000' in row 1, '1,001' in row 2 "
        "and '1,002' in row 3\n      = write plain numbers in the file\n"
    ),
    ("odd.csv", "none"): (
        "odd.csv: error[FF032]: every row must have a target, but the target 'none' has no value at all\n"
    ),
    ("odd.csv", "count"): (
        "odd.csv: error[FF037]: no column is left to predict from: 'same' is 1 in every row; 'day' dates such as "
        "'01.01.2024' in row 1; written as 2026-01-31 they can be used; 'name' a different text in every row: it names "
        "the row\n"
    ),
}


@pytest.mark.parametrize(("file", "target"), REFUSED)
def test_what_it_refuses(file: str, target: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "short.csv").write_text("a,b\n1,2\n3,4\n5,6\n", "utf-8")
    (here / "bare.csv").write_text("5.1,3.5,setosa\n" * 20, "utf-8")
    odd = {
        "same": [1] * 40,
        "day": [f"{1 + i % 28:02}.01.2024" for i in range(40)],
        "name": [f"n{i}" for i in range(40)],
        "money": [f"1,{i:03}" for i in range(40)],
        "none": [None] * 40,
        "count": [i % 2 for i in range(40)],
    }
    pl.DataFrame(odd).write_csv(here / "odd.csv")
    assert said(capsys, 2, file, "--target", target) == REFUSED[file, target] + "1 error\n"
    assert list(here.glob("*.yaml")) == []


def test_a_task_that_does_not_fit(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, 2, "penguins.csv", "--target", "species", "--task", "regression") == (
        "penguins.csv: error[FF034]: '--task regression' needs numbers, but the target 'species' holds 'Adelie', "
        "'Gentoo' and 'Chinstrap'\n1 error\n"
    )
    assert said(capsys, 2, "penguins.csv", "--target", "bill_depth_mm", "--task", "classification") == (
        "penguins.csv: error[FF034]: '--task classification' needs classes, but the target 'bill_depth_mm' holds "
        "fractions: 13.1, 13.2, 13.3 and 70 more\n1 error\n"
    )
    assert "found tabluar; did you mean tabular?" in said(
        capsys, 2, "penguins.csv", "--target", "species", "--recipe", "tabluar"
    )
    assert "must be one of plain, tabular, tabular_embedded, tabular_ensemble, found cake" in said(
        capsys, 2, "penguins.csv", "--target", "species", "--recipe", "cake"
    )


def test_it_needs_no_torch(here: Path) -> None:
    file = here / "penguins.csv"
    modules = imported(
        "import runpy; runpy.run_module('ffspec', run_name='__main__')", "init", str(file), "--target", "species"
    )
    assert "ffspec.proposal" in modules
    assert {"torch", "sklearn", "matplotlib"} & modules == set()
