"""Troubled tables: what stands in the way of a good network is said, and nothing of what only looks like it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffspec import api, document
from ffspec.diagnostics import Severity
from ffspec.patches import apply
from tests.snippets import whole
from tests.test_rows import of_arrays, written

REST = "layers: [linear]\nloss: mse\noptimizer: {sgd: 0.1}\n"


def arrays(prepare: str) -> str:
    return f"dataset: {{arrays: {{}}, split: none, prepare: {prepare}}}\n{REST}"


def rows(count: int = 200) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "size": random.normal(size=count),
        "town": random.choice(["Ulm", "Bonn", "Kiel"], size=count),
        "noise": random.normal(size=count),
    }


def target(x: dict[str, Any]) -> Any:
    return x["size"] + np.random.default_rng(1).normal(size=len(x["size"]))


def said(x: dict[str, Any], prepare: str = "{}", **columns: Any) -> list[tuple[str, str]]:
    return of_arrays(arrays(prepare), {**x, **columns}, target(x))


@pytest.mark.parametrize("prepare", ["{}", "standardize", "{scale: quantile, smooth_clip: 3}", "{categories: codes}"])
def test_a_column_twice_is_said_once(prepare: str) -> None:
    x = rows()
    told = "a column should stand there once, but {} is there again as {}, in all training rows"
    others = [("FF132", CODES)] if "codes" in prepare else []
    found = said(x, prepare, size_right=x["size"].copy(), place=x["town"].copy(), more=x["size"].copy())
    assert found == [
        *others,
        ("FF211", told.format("'size'", "'size_right' and 'more'")),
        ("FF211", told.format("'town'", "'place'")),
    ]


CODES = "codes must go through an embedding, or the layers take them for numbers; found none among the layers"


@pytest.mark.parametrize("prepare", ["{}", "standardize", "minmax", "robust"])
def test_a_number_in_another_unit_is_the_same(prepare: str) -> None:
    x = rows()
    told = "a column should stand there once, but 'size' is there again as 'fahrenheit', in all training rows"
    assert said(x, prepare, fahrenheit=x["size"] * 9 / 5 + 32) == [("FF211", told)]
    assert said(x, prepare, opposite=-x["size"], cubed=x["size"] ** 3) == []


def test_nothing_is_said_of_columns_that_differ_in_one_row_or_are_missing_together() -> None:
    x = rows()
    nearly = x["size"].copy()
    nearly[7] += 1e-6
    assert said(x, nearly=nearly) == []
    holes = np.where(np.arange(200) % 9 == 0, np.nan, 1.0)
    gaps = {"size": x["size"] * holes, "noise": x["noise"] * holes}
    prepare = "{missing: median, missing_indicator: true, scale: robust}"
    assert of_arrays(arrays(prepare), {**x, **gaps}, target(x)) == []
    assert said({name: column[:49] for name, column in x.items()}, again=x["size"][:49]) == []


def test_codes_need_an_embedding_only_where_there_are_codes() -> None:
    x = rows()
    assert said(x, "{categories: codes}") == [("FF132", CODES)]
    del x["town"]
    assert said(x, "{categories: codes}") == []
    part = "dataset: {csv: {path: a.csv, target: y}, prepare: {categories: codes}}\n"
    (item,) = api.diagnose(document.parse(whole(part)))
    assert item.patch is not None
    assert "categories: one_hot" in apply(whole(part), [item.patch])


def test_a_date_or_a_code_does_not_look_like_features_of_the_wrong_size(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    towns = [f"town {number}" for number in range(90)]
    lines = [
        (f"20{year:02}-0{1 + year % 9}-1{year % 10}", random.choice(towns), f"{random.normal():.3f}", index % 2)
        for index, year in zip(range(600), itertools.cycle(range(26)), strict=False)
    ]
    written(tmp_path, "a.csv", "sold,town,size,y", lines)
    part = "dataset: {csv: {path: a.csv, target: y, dates: [sold]}, prepare: {scale: robust, categories: codes}}\n"
    opened = document.parse(whole(part), "spec.yaml", directory=tmp_path)
    found = [(item.code, item.severity) for item in api.diagnose(opened, data=True)]
    assert found == [("FF132", Severity.WARNING)]


TROUBLES = (
    "spec.yaml:1:1: warning[FF204]: test rows must be new to the network, but 23 of 42 are training rows too: rows 0, "
    "9, 10 and 20 more of the test split\n"
    "    1 | dataset:\n"
    "      | ^^^^^^^ leave repeated rows out before splitting, or put them into one split\n"
    "spec.yaml:2:3: info[FF201]: a column must vary to teach anything, but all training rows have the same value in "
    "'unit'\n"
    "    2 |   csv: {path: a.csv, target: price, drop: [id]}\n"
    "      |   ^^^ leave it out with drop: [unit]\n"
    "spec.yaml:2:3: warning[FF211]: a column should stand there once, but 'size' is there again as 'size_right' and "
    "'weight', in all training rows\n"
    "    2 |   csv: {path: a.csv, target: price, drop: [id]}\n"
    "      |   ^^^ write drop: [size_right, weight]\n"
    "2 warnings, 1 info"
)


def test_a_troubled_table(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lines = []
    for index in range(120):
        size, town = f"{random.normal():.3f}", random.choice(["Ulm", "Bonn"])
        lines.append((size, size, town, "kg", f"{float(size) * 3:.3f}", f"{float(size) + random.normal():.3f}", index))
    lines += lines[:90]
    written(tmp_path, "a.csv", "size,size_right,town,unit,weight,price,id", lines)
    part = "dataset:\n  csv: {path: a.csv, target: price, drop: [id]}\n  prepare: standardize\n"
    opened = document.parse(part + REST, "spec.yaml", directory=tmp_path)
    found = api.diagnose(opened, data=True)
    assert opened.render(found) == TROUBLES
    patches = [item.patch for item in found if item.code == "FF211" and item.patch is not None]
    assert "drop: [id, size_right, weight]" in apply(part + REST, patches)
