"""Proposals: a table becomes a spec that checks and runs, and says why it says what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ffspec
from ffspec import api
from ffspec.diagnostics import Severity, SpecError
from ffspec.proposal import RECIPE
from tests import newcomers

TABLES: dict[str, Callable[[Path], tuple[Path, str]]] = {
    **{name: partial(newcomers.packaged, name) for name in newcomers.PACKAGED},
    "penguins": newcomers.penguins,
    "troubles": newcomers.troubles,
}


def proposed(path: Path, target: str, **options: Any) -> tuple[str, Path]:
    """Return a proposal, and the file it was written to."""
    text = ffspec.propose(path, target, **options)
    spec = path.with_suffix(".yaml")
    spec.write_text(text, encoding="utf-8")
    return text, spec


def written(folder: Path, columns: dict[str, list[Any]], name: str = "t.csv", **options: Any) -> Path:
    """Write columns as a CSV file."""
    pl.DataFrame(columns).write_csv(folder / name, **options)
    return folder / name


@pytest.mark.parametrize("name", TABLES)
def test_a_proposal_checks_and_runs(name: str, tmp_path: Path) -> None:
    _, spec = proposed(*TABLES[name](tmp_path))
    found = api.check(spec, data=True)
    assert [item for item in found if item.severity is Severity.ERROR] == []
    result = ffspec.run(spec, overrides=["training.epochs=3"])
    assert result.after["test"]["loss"] > 0
    assert {item.name for item in result.baselines} >= {"linear model"}


PENGUINS = f"""\
# Predicts 'species', 3 classes, from 7 columns of penguins.csv: 344 rows.
# Written by ffspec init from what the file holds. Change what you know better.

recipe: {RECIPE}  # fills in network, loss, training and split; ffspec show --resolved writes them out

dataset:
  csv:
    # numbers: bill_length_mm, bill_depth_mm, flipper_length_mm, body_mass_g and year
    # categories: island (3) and sex (2)
    # missing cells: bill_length_mm <1 %, bill_depth_mm <1 %, flipper_length_mm <1 %, body_mass_g <1 % and
    #   sex 3 %
    path: penguins.csv
    target: species       # Adelie 44 %, Gentoo 36 % and Chinstrap 20 %
    task: classification  # because it holds texts

metrics: [accuracy, f1]
checks:
  improves: test.loss
  test.accuracy: {{min: 0.45}}  # always answering Adelie is right in 44 %
"""


def test_the_penguins(tmp_path: Path) -> None:
    text, _ = proposed(*newcomers.penguins(tmp_path))
    assert text == PENGUINS


TROUBLES = f"""\
# Predicts 'left', 2 classes, from 8 columns of customers.csv: 609 rows.
# Written by ffspec init from what the file holds. Change what you know better.
# 9 rows (1 %) repeat another. If that is an accident, leave them out of the file.

recipe: {RECIPE}  # fills in network, loss, training and split; ffspec show --resolved writes them out

dataset:
  csv:
    # numbers: tenure and spent
    # categories: plan (3), newsletter (2), city (38) and country (3)
    # ordered categories: satisfaction (4)
    # dates: joined
    # missing cells: tenure 10 % and plan 6 %
    # skewed numbers: spent (from 0.08 to 1955, median 20.59)
    # city: 38 levels, 27 of them in fewer than 5 rows
    # country: one level in several spellings? 'Germany' (355) and 'germany' (55)
    path: customers.csv
    target: left          # no 63 % and yes 37 %
    task: classification  # because it holds texts
    null_values: [n/a]    # these stand for a missing cell
    ordered:              # read as 0, 1, 2 and so on
      satisfaction: [very low, low, medium, high]
    dates: [joined]       # read as year, month, day, weekday, hour and minute
    drop:
      - customer_id       # a different text in every row: it names the row
      # numbers written as texts: '68,936' in row 1 and '25,656' in row 2; write plain numbers in the file
      - revenue
      # numbers written as texts: '51 %' in row 1 and '39 %' in row 2; write plain numbers in the file
      - discount
      - spent_again       # says the same as 'spent' in every row
      - spent_cents       # is 'spent' in another unit: their correlation is 1
      - currency          # is 'EUR' in every row
      - batch             # is 'a' in all rows but 1
      - note              # free text: sentences are no categories
      - goodbye_mail      # knows the target: by itself it tells every class
      - empty             # has no value at all
  # To test on what comes later, write split: {{validation: 0.2, test: 0.2, by: joined, shuffle: false}}
  prepare:
    min_rows: 5           # rarer levels of city are one level, unknown

metrics: [accuracy, roc_auc]
checks:
  improves: test.loss
  test.accuracy: {{min: 0.64}}  # always answering no is right in 63 %
"""


def test_a_table_full_of_troubles(tmp_path: Path) -> None:
    text, _ = proposed(*newcomers.troubles(tmp_path))
    assert text == TROUBLES


LEAKS: dict[str, tuple[Callable[[int], Any], Callable[[int], Any], str]] = {
    "the same number": (lambda i: i * i % 97, lambda i: i * i % 97, "it is the same number in every row"),
    "another unit": (lambda i: i * i % 97, lambda i: 2.54 * (i * i % 97) + 1, "their correlation is 1"),
    "a bent scale": (lambda i: i * i % 97, lambda i: (i * i % 97) ** 9, "their rank correlation is 1"),
    "ranges": (lambda i: i * i % 97, lambda i: "abcd"[(i * i % 97) // 25], "each of its levels is a range of it"),
    "a code": (lambda i: "xyz"[i * i % 97 % 3], lambda i: f"{i * i % 97 % 3}!", "by itself it tells every class"),
    "a threshold": (lambda i: "ab"[i * i % 97 > 40], lambda i: i * i % 97, "by itself it tells every class"),
    "what is missing": (
        lambda i: "ab"[i * i % 97 > 40],
        lambda i: i if i * i % 97 > 40 else None,
        "by itself it tells every class",
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_column_that_knows_the_target_is_left_out(name: str, tmp_path: Path) -> None:
    target, leak, said = LEAKS[name]
    columns: dict[str, list[Any]] = {f"x{k}": np.random.default_rng(k).random(300).tolist() for k in range(3)}
    columns |= {"leak": [leak(i) for i in range(300)], "target": [target(i) for i in range(300)]}
    text, spec = proposed(written(tmp_path, columns), "target")
    assert f"      - leak  # knows the target: {said}\n" in re.sub(" +#", "  #", text)
    assert api.check(spec, data=True, allow=["FF202"]) == ()


def test_where_all_columns_know_the_target_it_is_easy(tmp_path: Path) -> None:
    y = [i * i % 97 for i in range(300)]
    columns = {"x": [2 * value for value in y], "y": y}
    assert "knows the target" not in proposed(written(tmp_path, columns), "y")[0]


def test_rows_that_belong_together(tmp_path: Path) -> None:
    rows = range(300)
    columns: dict[str, list[Any]] = {
        "patient_id": [f"P{i // 6}" for i in rows],
        "seen": [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in rows],
        "x": [i * 0.37 % 1 for i in rows],
        "y": ["ab"[i * i % 7 % 2] for i in rows],
    }
    path = written(tmp_path, columns)
    text, _ = proposed(path, "y")
    assert "      - patient_id        # names 50 things, each in 6 rows on average\n" in text
    assert (
        "  # To test on other values of patient_id, write split: {validation: 0.2, test: 0.2, by: patient_id}\n"
        "  # To test on what comes later, write split: {validation: 0.2, test: 0.2, by: seen, shuffle: false}\n"
    ) in text
    for by, line in {
        "patient_id": "  split: {validation: 0.2, test: 0.2, by: patient_id}\n",
        "seen": "  split: {validation: 0.2, test: 0.2, by: seen, shuffle: false}\n",
    }.items():
        text, spec = proposed(path, "y", by=by)
        assert re.sub(" +#.*", "", text).count(line) == 1
        assert f"{by}\n" not in text
        assert [item for item in api.check(spec, data=True) if item.severity is Severity.ERROR] == []
        assert ffspec.run(spec, overrides=["training.epochs=1"]).after["test"]["loss"] > 0


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("patient", "error[FF031]: there is no column 'patient'"),
        ("y", "error[FF035]: rows must be kept together by another column than the target 'y'"),
        ("gap", "error[FF032]: every row must have a value of 'gap' to be divided by, but it is missing in 5 rows"),
        ("two", "error[FF035]: each of the 3 splits must have a value of 'two' to itself, found 2"),
    ],
)
def test_rows_that_cannot_be_kept_together(by: str, said: str, tmp_path: Path) -> None:
    rows = range(50)
    columns: dict[str, list[Any]] = {
        "gap": [None if i % 10 == 0 else i // 5 for i in rows],
        "two": [i % 2 for i in rows],
        "y": ["ab"[i * i % 7 % 2] for i in rows],
    }
    with pytest.raises(SpecError) as caught:
        ffspec.propose(written(tmp_path, columns), "y", by=by)
    assert caught.value.diagnostics[0].head == said


def test_dates_may_be_all_there_is(tmp_path: Path) -> None:
    days = [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(100)]
    text, spec = proposed(written(tmp_path, {"day": days, "visits": [i * i % 97 for i in range(100)]}), "visits")
    assert "    dates: [day]      # read as year, month, day, weekday, hour and minute\n" in text
    assert [item for item in api.check(spec, data=True) if item.severity is Severity.ERROR] == []


def test_too_few_rows_for_so_many_classes(tmp_path: Path) -> None:
    path = written(tmp_path, {"x": [i * 0.37 % 1 for i in range(30)], "y": [f"c{i % 5}" for i in range(30)]})
    with pytest.raises(SpecError) as caught:
        ffspec.propose(path, "y")
    (fault,) = caught.value.diagnostics
    assert fault.head == "error[FF035]: for 5 classes of 'y' there must be at least 35 rows with a target, found 30"


def test_another_separator_is_found(tmp_path: Path) -> None:
    for separator, said in ((";", "';'"), ("\t", r'"\x09"'), ("|", "'|'")):
        text, spec = proposed(*newcomers.troubles(tmp_path, separator=separator))
        assert f"    separator: {said}\n" in text
        assert ffspec.load(spec).dataset.source.separator == separator  # type: ignore[attr-defined]


def test_numbers_as_a_target(tmp_path: Path) -> None:
    text, _ = proposed(*newcomers.packaged("diabetes", tmp_path))
    assert text.endswith("""\
    target: target    # from 25 to 346, half of it below 140.5
    task: regression  # because it holds 214 different whole numbers from 25 to 346

metrics: [r2, rmse, mae]
checks:
  improves: test.loss
  test.r2: {min: 0}  # the mean of the training rows, whatever the columns say, has 0
""")


def test_whole_numbers_may_be_either(tmp_path: Path) -> None:
    path = written(tmp_path, {"x": [i * 0.37 % 1 for i in range(200)], "y": [i * i % 7 for i in range(200)]})
    text, spec = proposed(path, "y")
    told = "because it holds 4 different whole numbers; write regression if they are amounts"
    assert f"    task: classification  # {told}\n" in text
    text, spec = proposed(path, "y", task="regression")
    assert "    task: regression  # because it holds 4 different whole numbers from 0 to 4\n" in text
    assert api.plan(ffspec.load(spec)).facts.target == "values"


def test_few_rows_of_many_whole_numbers_are_amounts(tmp_path: Path) -> None:
    path = written(tmp_path, {"x": [i * 0.37 % 1 for i in range(40)], "y": [i * 7 % 19 for i in range(40)]})
    assert (
        "    task: regression  # because it holds 19 different whole numbers from 0 to 18\n" in proposed(path, "y")[0]
    )


def test_unequal_classes_are_measured_fairly(tmp_path: Path) -> None:
    x = [i * 0.37 % 1 for i in range(400)]
    path = written(tmp_path, {"x": x, "z": x[::-1], "y": ["bad" if a > 0.95 else "good" for a in x]})
    text, spec = proposed(path, "y")
    assert text.endswith("""\
metrics: [balanced_accuracy, roc_auc, accuracy]  # good is in 95 % of the rows: accuracy says little
checks:
  improves: test.loss
  test.balanced_accuracy: {min: 0.51}  # always answering good has 0.5
""")
    assert api.check(spec, data=True) == ()


def test_a_target_with_gaps_and_a_mark(tmp_path: Path) -> None:
    path = written(tmp_path, {"x": [i * 0.37 % 1 for i in range(60)], "y": ["a", "b", "?", None] * 15})
    text, spec = proposed(path, "y")
    assert "    missing_target: drop  # left out: 30 rows without one\n" in text
    assert "    null_values: ['?']    # these stand for a missing cell\n" in text
    assert api.check(spec, data=True) == ()


def test_classes_that_are_too_rare_are_left_out(tmp_path: Path) -> None:
    x = [i * 0.37 % 1 for i in range(100)]
    labels = ["Oslo"] * 60 + ["Rome"] * 38 + ["Bern", "Bonn"]
    text, spec = proposed(written(tmp_path, {"x": x, "city": labels}), "city")
    assert (
        text.split("t.csv\n")[1].split("\n\n")[0]
        == """\
    target: city          # Oslo 61 % and Rome 39 %
    task: classification  # because it holds texts
    missing_target: drop  # left out: Bern and Bonn, too rare to learn and to test
    null_values: [Bern, Bonn]"""
    )
    assert api.check(spec, data=True) == ()
    many = written(tmp_path, {"x": x, "city": labels[:-10] + [f"town {i // 2}" for i in range(10)]}, "many.csv")
    with pytest.raises(SpecError) as caught:
        ffspec.propose(many, "city")
    assert str(caught.value).removeprefix(str(many)) == (
        ": error[FF034]: every class of the target 'city' must have at least 3 rows, but 'town 0' has 2 rows, "
        "'town 1' has 2 rows, 'town 2' has 2 rows and 2 more\n"
        "      = leave such rows out of the file, or gather more of them\n1 error"
    )


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "x": [i * 0.37 % 1 for i in range(60)],
            "whole": pl.Series([str(i * 7 % 31) for i in range(60)]),
            "far": [float("inf") if i == 7 else i * 0.11 % 1 for i in range(60)],
            "parts": [[i] for i in range(60)],
            "kept": [i % 3 == 0 for i in range(60)],
        }
    )
    frame.write_parquet(tmp_path / "t.parquet")
    text, spec = proposed(tmp_path / "t.parquet", "kept")
    assert (
        text.split("dataset:\n")[1].split("\n\n")[0]
        == """\
  parquet:
    # numbers: x
    path: t.parquet
    target: kept          # false 67 % and true 33 %
    task: classification  # because it holds truth values
    drop:
      # numbers kept as texts: '0' in row 1 and '7' in row 2; write plain numbers in the file
      - whole
      - far               # holds 'inf' in row 8: numbers must be finite
      - parts             # of type List(Int64): neither numbers nor texts"""
    )
    assert api.check(spec, data=True) == ()
