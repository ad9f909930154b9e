"""CSV and Parquet files: what is read from them, and what is said of one that cannot be used."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ffspec
from tests.dataloading import loaded, refused

SPECS = Path(__file__).parent.parent / "specs"
PENGUINS = {
    "csv": {"path": "penguins.csv", "target": "species", "drop": ["year"]},
    "split": {"test": 0.2, "validation": 0.1, "stratify": True},
    "prepare": {"scale": "standardize", "missing": "median"},
}


def table(
    text: str | bytes, folder: Path, split: Any = "none", prepare: Any = "none", **arguments: Any
) -> dict[str, Any]:
    """Write a file and return the data set that reads it."""
    (folder / "a.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    options = {} if split is None else {"split": split}
    return {"csv": {"path": "a.csv", "target": "y", **arguments}, "prepare": prepare, **options}


def rows_of(value: Any, folder: Path) -> dict[str, tuple[list[Any], list[Any]]]:
    return {name: (split.x.tolist(), split.y.tolist()) for name, split in loaded(value, folder).splits.items()}


def test_penguins_are_read_with_their_missing_cells() -> None:
    data = loaded(PENGUINS, SPECS)
    assert data.facts.rows == {"train": 240, "validation": 35, "test": 69}
    assert data.classes == ("Adelie", "Chinstrap", "Gentoo")
    assert data.features == (
        *("island=Biscoe", "island=Dream", "island=Torgersen", "island=(unknown)"),
        *("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"),
        *("sex=female", "sex=male", "sex=(unknown)"),
    )
    everything = np.concatenate([split.x for split in data.splits.values()])
    assert everything.shape == (344, 11)
    assert everything[:, 3].sum() == 0
    assert everything[:, 10].sum() == 11, "eleven penguins whose sex is unknown"
    counts = {name: np.bincount(split.y).tolist() for name, split in data.splits.items()}
    assert counts == {"train": [107, 47, 86], "validation": [15, 7, 13], "test": [30, 14, 25]}
    assert np.allclose(data.splits["train"].x[:, 4:8].mean(axis=0), 0)


def test_a_table_does_not_import_scikit_learn() -> None:
    code = (
        "import pathlib, sys; from ffspec.data import load; from ffspec.spec.dataset import Dataset;"
        f"load(Dataset.model_validate({PENGUINS}), seed=0, directory=pathlib.Path({str(SPECS)!r})); print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "polars" in found
    assert not {"sklearn", "scipy", "torch"} & set(found)


def test_cells_are_numbers_booleans_or_texts(tmp_path: Path) -> None:
    text = '\ufeffn,b,t,y\n 1e1 ,True,red,a\n-2,false,"b,l",b\n\n.5,TRUE,red,a\n'
    data = loaded(table(text, tmp_path), tmp_path)
    assert data.features == ("n", "b=false", "b=true", "b=(unknown)", "t=b,l", "t=red", "t=(unknown)")
    assert data.splits["train"].x.tolist() == [
        [10, 0, 1, 0, 0, 1, 0],
        [-2, 1, 0, 0, 1, 0, 0],
        [0.5, 0, 1, 0, 0, 1, 0],
    ]
    assert data.splits["train"].y.tolist() == [0, 1, 0]


TARGETS: list[tuple[str, Any, Any, list[Any]]] = [
    ("3 1 2 1", None, (1, 2, 3), [2, 0, 1, 0]),
    ("3 1 2 1", "values", None, [[3], [1], [2], [1]]),
    ("1.0 0.0 1.0 0.0", "classes", (0, 1), [1, 0, 1, 0]),
    ("0.5 1 2 3", None, None, [[0.5], [1], [2], [3]]),
    ("b a b c", None, ("a", "b", "c"), [1, 0, 1, 2]),
    ("true false true true", "classes", (False, True), [1, 0, 1, 1]),
    (" ".join(map(str, range(20))), None, tuple(range(20)), list(range(20))),
    (" ".join(map(str, range(21))), None, None, [[number] for number in range(21)]),
]


@pytest.mark.parametrize(("cells", "wants", "classes", "y"), TARGETS, ids=[f"{row[0]} {row[1]}" for row in TARGETS])
def test_a_target_is_read_as_the_loss_needs_it(
    cells: str, wants: Any, classes: Any, y: list[Any], tmp_path: Path
) -> None:
    text = "x,y\n" + "".join(f"1,{cell}\n" for cell in cells.split())
    data = loaded(table(text, tmp_path), tmp_path, wants=wants)
    assert data.classes == classes
    assert data.splits["train"].y.tolist() == y
    assert data.splits["train"].y.dtype == (np.float64 if classes is None else np.int64)


def test_columns_can_be_chosen_ordered_and_left_out(tmp_path: Path) -> None:
    text = ",a,b,c,y\n0,1,2,3,0\n1,4,5,6,1\n"
    assert rows_of(table(text, tmp_path, columns=["c", "a"]), tmp_path)["train"] == ([[3, 1], [6, 4]], [0, 1])
    assert rows_of(table(text, tmp_path, drop=["b", ""]), tmp_path)["train"] == ([[1, 3], [4, 6]], [0, 1])
    several = table(text, tmp_path, target=["y", "c"], columns=["a"])
    assert rows_of(several, tmp_path)["train"] == ([[1], [4]], [[0, 3], [1, 6]])
    assert loaded(several, tmp_path).targets == ("y", "c")


def test_numbers_can_be_read_as_categories(tmp_path: Path) -> None:
    data = loaded(table("x,y\n2,0\n1,1\n", tmp_path, categorical=["x"]), tmp_path)
    assert data.features == ("x=1", "x=2", "x=(unknown)")
    assert data.splits["train"].x.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_a_column_or_files_of_their_own_say_where_rows_belong(tmp_path: Path) -> None:
    column = table("s,x,y\ntest,1,0\ntrain,2,1\ntrain,3,0\n", tmp_path, split=None, split_column="s")
    assert rows_of(column, tmp_path) == {"train": ([[2], [3]], [1, 0]), "test": ([[1]], [0])}
    (tmp_path / "b.csv").write_text("y,x,other\n1,9,8\n")
    files = table("x,y\n1,0\n2,1\n3,0\n", tmp_path, split={"validation": 1, "shuffle": False}, test="b.csv")
    assert rows_of(files, tmp_path) == {"train": ([[1], [2]], [0, 1]), "validation": ([[3]], [0]), "test": ([[9]], [1])}
    alone = table("x,y\n1,0\n2,1\n", tmp_path, split=None, validation="b.csv")
    assert rows_of(alone, tmp_path) == {"train": ([[1], [2]], [0, 1]), "validation": ([[9]], [1])}


def test_other_separators_and_marks_of_missing_cells(tmp_path: Path) -> None:
    value = table(
        "x;y\n1;a\n-99;b\nNA;a\n4;b\n", tmp_path, prepare={"missing": "mean"}, separator=";", null_values=["NA", "-99"]
    )
    assert rows_of(value, tmp_path)["train"][0] == [[1], [2.5], [2.5], [4]]


def test_a_target_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x,^a.*$\n1,a\n2,\n3,b\n4,a\n", encoding="utf-8")
    text = (
        "dataset: {csv: {path: rows.csv, target: ^a.*$, missing_target: drop}}\n"
        "layers: [linear]\nloss: cross_entropy\noptimizer: sgd\n"
    )
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    assert ffspec.run(tmp_path / "s.yaml", overrides=["dataset.split.test=1"]).data.classes == ("a", "b")


def test_rows_without_a_target_can_be_left_out(tmp_path: Path) -> None:
    value = table("x,y\n1,a\n2,\n3,b\n", tmp_path, missing_target="drop")
    assert rows_of(value, tmp_path)["train"] == ([[1], [3]], [0, 1])


def test_a_level_unseen_in_training_is_unknown(tmp_path: Path) -> None:
    text = "s,x,y\ntrain,red,0\ntrain,blue,1\ntest,green,0\ntest,blue,0\ntest,,0\n"
    value = table(text, tmp_path, split=None, prepare={"missing": "mean"}, split_column="s")
    assert rows_of(value, tmp_path)["test"][0] == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]


CSV, TARGET = "dataset.csv", "dataset.csv.target"
FILE = "dataset.csv.path"
TWO = "no cell may be missing, found 2 missing cells: x (1) and z (1)"
FORM = "a.csv is not a well-formed table: "
PATHS = "paths begin at the folder of the spec"
ALL = "write 'split: none' to train on all rows"
MISSING = "write 'prepare: {missing: median}' (or mean, most_frequent), or leave the column out with 'drop'"
REFUSED: list[tuple[str | bytes, dict[str, Any], list[tuple[str, str, str, str | None]]]] = [
    ("", {}, [("FF030", FILE, "a.csv is empty", None)]),
    ("x,y\n", {}, [("FF030", FILE, "a.csv has a header but no rows", None)]),
    ("x,y\n1,2\n3\n", {}, [("FF030", FILE, FORM + "line 3 has 1 cell, but the header has 2", None)]),
    ("x,y\n1,2,3\n", {}, [("FF030", FILE, FORM + "line 2 has 3 cells, but the header has 2", None)]),
    (
        'x,y\n1,2\n"1,2\n3,4\n',
        {},
        [
            (
                "FF030",
                FILE,
                FORM + "a quote that opens in line 3 is not closed, or text follows it",
                None,
            )
        ],
    ),
    (b"x,y\n1,caf\xe9\n", {}, [("FF030", FILE, "a.csv must be UTF-8 text, found the byte 0xe9 in line 2", None)]),
    (b"PAR1..", {}, [("FF030", FILE, "a.csv is a Parquet file", "write 'parquet:' in place of 'csv:'")]),
    ("x,x,y\n1,2,3\n", {}, [("FF030", FILE, "the columns of a.csv must have different names, found 'x' twice", None)]),
    ("x,y\n1,2\n", {"path": "b.csv"}, [("FF030", FILE, "there is no file b.csv", PATHS)]),
    ("x,y\n1,2\n", {"path": "."}, [("FF030", FILE, "must be a file, but . is a folder", None)]),
    (
        "x,y\n1,2\n",
        {"path": "https://a/b.csv"},
        [("FF030", FILE, "must be a file, found the address https://a/b.csv", "download it first, and name the file")],
    ),
    (
        "weight,y\n1,2\n",
        {"target": "Y", "drop": ["wieght", "colour"]},
        [
            ("FF031", TARGET, "there is no column 'Y'", "did you mean 'y'?"),
            ("FF031", f"{CSV}.drop.0", "there is no column 'wieght'", "did you mean 'weight'?"),
            ("FF031", f"{CSV}.drop.1", "there is no column 'colour'", "the columns are 'weight' and 'y'"),
        ],
    ),
    ("x,z,y\n1,,0\n,,1\n", {"prepare": "standardize", "columns": ["x"]},
     [("FF032", CSV, "no cell may be missing, found 1 missing cell: x (1)", MISSING)]),
    ("x,z,y\n1,a,0\n,,1\n", {}, [("FF032", CSV, TWO, MISSING)]),
    (
        "x,z,y\n1,,0\n2,,1\n",
        {"prepare": {"missing": "median"}},
        [
            (
                "FF032",
                CSV,
                "a column must have a number in the training split, but all cells of 'z' are missing",
                "leave it out with 'drop: [z]'",
            )
        ],
    ),
    (
        "x,y\n1,a\n2,\n3,\n",
        {},
        [
            (
                "FF032",
                TARGET,
                "every row must have a target, but 'y' is missing in rows 2 and 3",
                "write 'csv: {missing_target: drop}' to leave such rows out",
            )
        ],
    ),
    (
        "x,y\n1,a\nn/a,b\n3,c\n",
        {},
        [
            (
                "FF033",
                CSV,
                "column 'x' must hold numbers, as most of its cells do, found 'n/a' in row 2",
                "write null_values: ['n/a'] if it stands for a missing cell, or categorical: [x] to read texts",
            )
        ],
    ),
    ("x,y\n1,0\ninf,1\n", {}, [("FF033", CSV, "column 'x' must hold finite numbers, found inf in row 2", None)]),
    (
        "x,y\n" + "".join(f"name {row},0\n" for row in range(30)),
        {},
        [
            (
                "FF033",
                CSV,
                "column 'x' must hold categories, found 30 different texts in 30 rows",
                "leave it out with 'drop: [x]'",
            )
        ],
    ),
    ("x,z,y\n1,a,1\n2,b,2\n", {"target": ["y", "z"]},
     [("FF033", f"{TARGET}.1", "several targets must be numbers, but 'z' holds texts: 'a' and 'b'", None)]),
    ("x,y\n1,a\n2,b\n", {"task": "regression"},
     [("FF034", TARGET, "'task: regression' needs numbers, but the target 'y' is a class: 'a' and 'b'", None)]),
    ("x,y\n1,0.5\n2,1\n", {"task": "classification"},
     [("FF034", TARGET, "'task: classification' needs classes, but the target 'y' holds fractions: 0.5", None)]),
    (
        "s,x,y\ntrain,1,0\ntets,2,1\n,3,0\n",
        {"split": None, "split_column": "s"},
        [
            (
                "FF035",
                f"{CSV}.split_column",
                "'s' must say train, validation or test, found 'tets' in row 2 and an empty cell in row 3",
                None,
            )
        ],
    ),
    ("s,x,y\ntest,1,0\n", {"split": None, "split_column": "s"},
     [("FF035", f"{CSV}.split_column", "'s' must put rows into train, found none", None)]),
    ("x,y\n1,0\n2,1\n", {"split": {"test": 5}},
     [("FF035", "dataset.split", "the split must leave rows to train on, found test 5 of 2", None)]),
    ("x,y\n1,0\n", {"split": None},
     [("FF035", "dataset.split", "the split must leave rows to train on, found test 1 of 1", ALL)]),
    ("y\n1\n", {}, [("FF037", CSV, "no column is left to predict from", None)]),
    (",x,y\n0,1,2\n", {}, [("FF037", CSV, "a column without a name must be left out or named",
                           "leave it out with drop: [''], or give it a name")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "arguments", "found"), REFUSED, ids=[row[2][0][2][:60] + str(row[1])[:40] for row in REFUSED]
)
def test_what_is_wrong_with_a_table_is_said(
    text: str | bytes, arguments: dict[str, Any], found: Any, tmp_path: Path
) -> None:
    assert refused(table(text, tmp_path, **arguments), tmp_path) == found


def test_the_loss_and_the_target_must_fit(tmp_path: Path) -> None:
    texts = table("x,y\n1,red\n2,blue\n", tmp_path)
    message = "the loss needs numbers, but the target 'y' is a class: 'blue' and 'red'"
    assert refused(texts, tmp_path, wants="values") == [("FF034", TARGET, message, None)]
    prices = table("x,y\n1,9.99\n2,5\n3,0.5\n4,1.5\n5,2.5\n", tmp_path)
    message = "the loss needs classes, but the target 'y' holds fractions: 9.99, 0.5, 1.5 and 1 more"
    assert refused(prices, tmp_path, wants="classes") == [("FF034", TARGET, message, None)]
    several = table("x,z,y\n1,2,3\n", tmp_path, target=["y", "z"])
    message = "the loss needs one column of classes, found 2 target columns"
    assert refused(several, tmp_path, wants="classes") == [("FF034", TARGET, message, None)]


def test_a_fault_in_another_file_names_it(tmp_path: Path) -> None:
    value = table("x,y\n1,0\n2,1\n", tmp_path, split=None, test="b.csv")
    (tmp_path / "b.csv").write_text("x,z\n1,0\n")
    assert refused(value, tmp_path) == [("FF031", f"{CSV}.test", "there is no column 'y'", "did you mean 'x'?")]
    (tmp_path / "b.csv").write_text("x,y\n5,0\nsix,1\n")
    [(code, _, message, _)] = refused(value, tmp_path)
    assert (code, message) == (
        "FF033",
        "column 'x' must hold numbers, as most of its cells do, found 'six' in row 2 of b.csv",
    )
    (tmp_path / "b.csv").write_text("x,y\n5,\n")
    assert refused({**value, "csv": {**value["csv"], "missing_target": "drop"}}, tmp_path) == [
        ("FF035", f"{CSV}.test", "b.csv must have rows with a target, found none", None)
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    value = {"csv": {"path": "pipe", "target": "y"}}
    assert refused(value, tmp_path) == [("FF030", FILE, "must be a regular file, but pipe is a pipe or a device", None)]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "i": [1, None, 3],
            "f": [0.5, 1.5, float("nan")],
            "b": [True, None, False],
            "t": pl.Series(["1", "2", "1"], dtype=pl.Categorical),
            "y": [1.5, 2.5, 4.0],
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    value = {"parquet": {"path": "a.parquet", "target": "y"}, "split": "none", "prepare": {"missing": "mean"}}
    data = loaded(value, tmp_path)
    assert data.features == ("i", "f", "b=false", "b=true", "b=(unknown)", "t=1", "t=2", "t=(unknown)")
    assert data.splits["train"].x.tolist() == [
        [1, 0.5, 0, 1, 0, 1, 0, 0],
        [2, 1.5, 0, 0, 1, 0, 1, 0],
        [3, 1.0, 1, 0, 0, 1, 0, 0],
    ]
    assert data.splits["train"].y.tolist() == [[1.5], [2.5], [4.0]]


def test_what_is_wrong_with_a_parquet_file_is_said(tmp_path: Path) -> None:
    value = {"parquet": {"path": "a.parquet", "target": "y"}, "split": "none"}
    (tmp_path / "a.parquet").write_text("x,y\n1,2\n")
    [(code, place, message, hint)] = refused(value, tmp_path)
    assert (code, place, hint) == (
        "FF030",
        "dataset.parquet.path",
        "for a text file, write 'csv:' in place of 'parquet:'",
    )
    assert message.startswith("a.parquet is not a Parquet file: ")
    pl.DataFrame({"d": [dt.date(2020, 1, 1)], "y": [1]}).write_parquet(tmp_path / "a.parquet")
    assert refused(value, tmp_path) == [
        (
            "FF033",
            "dataset.parquet",
            "column 'd' must hold numbers, booleans or texts, found Date",
            "write 'dates: [d]' to use its parts, or leave it out with 'drop: [d]'",
        )
    ]


def test_a_name_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("*,^b$,y\n" + "".join(f"{row},{-row},{row % 2}\n" for row in range(20)))
    path = tmp_path / "net.yaml"
    path.write_text(
        "dataset: {csv: {path: a.csv, target: y, drop: ['^b$']}}\nlayers: [linear]\nloss: cross_entropy\n"
        "optimizer: adam\ntraining: {epochs: 1}\n"
    )
    assert ffspec.run(path).data.features == ("*",)
