"""Columns in order and columns of dates: what becomes of them, in training and in later rows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ffspec.data import Preparation
from ffspec.data.dates import PARTS, parts_of, read_dates
from ffspec.data.loaded import Loaded
from ffspec.diagnostics import SpecError
from tests.dataloading import loaded, refused, said

ORDERED = {"ordered": {"size": ["small", "medium", "large"]}}
DATED = {"dates": ["sold"]}


def table(text: str, folder: Path, *, prepare: Any = "none", split: Any = "none", **arguments: Any) -> dict[str, Any]:
    (folder / "a.csv").write_text(text, encoding="utf-8")
    return {"csv": {"path": "a.csv", "target": "y", **arguments}, "prepare": prepare, "split": split}


def again(data: Loaded) -> Preparation:
    """Return the preparation as a later program reads it."""
    return Preparation.from_json(data.preparation.to_json())


def reference(text: str) -> list[int]:
    """Return the parts of a date as Python's own calendar has them."""
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC)
    return [moment.year, moment.month, moment.day, moment.weekday(), moment.hour, moment.minute]


def test_parts_are_those_of_the_calendar() -> None:
    days = [dt.date(1583, 1, 1) + dt.timedelta(days=977 * step) for step in range(500)]
    texts = [day.isoformat() for day in days]
    texts += ["0001-01-01", "9999-12-31 23:59:59.999999", "1969-12-31T23:59", "2024-02-29T12:30:00Z"]
    texts += ["2024-01-01 00:30+02:00", "1900-02-28 01:02:03.5"]
    moments, failed = read_dates(texts)
    assert failed.tolist() == []
    found = parts_of(moments)
    assert tuple(found) == PARTS
    assert np.column_stack([*found.values()]).tolist() == [reference(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    ["2024-02-30", "2024-13-01", "0000-01-01", "2024-1-1", "24-01-01", "01/02/2024", "2024-01", "20240101", "today",
     "2024-01-01 24:30", "2024-01-01 9:30", "2024-W01-1", "2024-01-01T", "", "2024-01-01 10", "\uff19999-01-01",
     "0001-01-01 00:00+05:00"],
)  # fmt: skip
def test_what_is_no_date_is_none(text: str) -> None:
    moments, failed = read_dates(["2024-01-01", None, text])
    assert failed.tolist() == [2]
    assert np.isnat(moments).tolist() == [False, True, True]


def test_dates_become_the_parts_that_vary(tmp_path: Path) -> None:
    text = "sold,n,y\n2026-01-31,1,0\n2026-02-01,2,1\n2026-02-03 10:30,3,0\n2027-01-01,4,1\n"
    data = loaded(table(text, tmp_path, **DATED, split={"test": 1, "shuffle": False}), tmp_path)
    assert data.features == ("sold.month", "sold.day", "sold.weekday", "sold.hour", "sold.minute", "n")
    assert data.facts.levels == (0,) * 6
    assert data.splits["train"].x.tolist() == [[1, 31, 5, 0, 0, 1], [2, 1, 6, 0, 0, 2], [2, 3, 1, 10, 30, 3]]
    assert data.splits["test"].x.tolist() == [[1, 1, 4, 0, 0, 4]], "the year does not vary in training"
    assert data.preparation.names == ("sold", "n")


def test_dates_that_are_all_the_same_leave_nothing(tmp_path: Path) -> None:
    text = "sold,y\n2026-01-31,0\n2026-01-31,1\n"
    assert refused(table(text, tmp_path, **DATED), tmp_path) == [
        ("FF037", "dataset.csv", "no column is left to predict from: the dates are the same in all training rows", None)
    ]


def test_a_missing_date_is_one_cell_with_one_mark(tmp_path: Path) -> None:
    text = "sold,n,y\n2026-01-31,1,0\n,2,1\n2026-02-03,3,0\n"
    hint = "write 'prepare: {missing: median}' (or mean, most_frequent), or leave the column out with 'drop'"
    assert refused(table(text, tmp_path, **DATED), tmp_path) == [
        ("FF032", "dataset.csv", "no cell may be missing, found 1 missing cell: sold (1)", hint)
    ]
    prepare = {"missing": "median", "missing_indicator": True}
    data = loaded(table(text, tmp_path, **DATED, prepare=prepare), tmp_path)
    assert data.features == ("sold.month", "sold.day", "sold.weekday", "sold (missing)", "n")
    assert data.splits["train"].x[1].tolist() == [1.5, 17, 3, 1, 2]


def test_an_unreadable_date_is_refused_with_its_row(tmp_path: Path) -> None:
    text = "sold,y\n2026-01-31,0\n31.1.2026,1\n2026-02-30,0\n"
    message = "column 'sold' must hold dates such as 2026-01-31 or 2026-01-31 14:30, found "
    found = "'31.1.2026' in row 2 and '2026-02-30' in row 3"
    assert refused(table(text, tmp_path, **DATED), tmp_path) == [
        ("FF033", "dataset.csv.dates.0", message + found, None)
    ]
    taken = table("sold,sold.day,y\n2026-01-31,1,0\n2026-02-01,2,1\n", tmp_path, **DATED)
    message = "the parts of 'sold' need names that are free, but there is a column 'sold.day'"
    assert refused(taken, tmp_path) == [("FF037", "dataset.csv.dates.0", message, "write drop: 'sold.day'")]


KINDS: dict[str, pl.Series] = {
    "dates": pl.Series([dt.date(2026, 1, 31), None, dt.date(2027, 5, 1)]),
    "times": pl.Series(["2026-01-31T10:00", None, "2027-05-01T11:30"]).str.to_datetime(time_unit="ms"),
    "zones": pl.Series(["2026-01-31T10:00Z", None, "2027-05-01T11:30Z"])
    .str.to_datetime(time_zone="UTC")
    .dt.convert_time_zone("Asia/Tokyo"),
    "texts": pl.Series(["2026-01-31 10:00", None, "2027-05-01T00:00+09:00"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_parquet_has_dates_of_its_own_and_later_rows_come_in_any_form(kind: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"sold": KINDS[kind], "y": [0, 1, 2]})
    frame.write_parquet(tmp_path / "a.parquet")
    value = {"parquet": {"path": "a.parquet", "target": "y", **DATED}, "split": "none", "prepare": {"missing": "mean"}}
    data = loaded(value, tmp_path)
    assert data.features[:3] == ("sold.year", "sold.month", "sold.day")
    cells = frame["sold"].to_list()
    objects = np.array([*cells, None], dtype=object)[:-1]
    rows: list[Any] = [frame, {"sold": cells}, {"sold": objects}, [{"sold": cell} for cell in cells]]
    rows += [{"sold": [None if cell is None else str(cell) for cell in cells]}, np.array([[cell] for cell in cells])]
    for form in rows:
        assert again(data).apply(form).tobytes() == data.splits["train"].x.tobytes()


def test_what_is_no_date_in_later_rows_is_refused(tmp_path: Path) -> None:
    text = "sold,y\n2026-01-31,0\n2026-02-01,1\n"
    fitted = again(loaded(table(text, tmp_path, **DATED), tmp_path))
    message = "column 'sold' must hold dates such as 2026-01-31 or 2026-01-31 14:30, found "
    for cell in ("x", 3, True):
        with pytest.raises(SpecError) as caught:
            fitted.apply({"sold": ["2026-01-01", cell]})
        assert said(caught.value) == [("FF033", "", f"{message}{cell!r} in row 2", None)]
    assert fitted.apply({"sold": np.array(["2026-01-01"], dtype="datetime64[D]")}).tolist() == [[1, 1, 3]]


def test_a_parquet_column_of_dates_that_is_not_named_says_how(tmp_path: Path) -> None:
    pl.DataFrame({"sold": [dt.date(2026, 1, 31)], "n": [1], "y": [0]}).write_parquet(tmp_path / "a.parquet")
    value = {"parquet": {"path": "a.parquet", "target": "y"}, "split": "none"}
    message = "column 'sold' must hold numbers, booleans or texts, found Date"
    hint = "write 'dates: [sold]' to use its parts, or leave it out with 'drop: [sold]'"
    assert refused(value, tmp_path) == [("FF033", "dataset.parquet", message, hint)]
    named = {"parquet": {"path": "a.parquet", "target": "y", "columns": ["n"], "dates": ["n"]}, "split": "none"}
    message = "column 'n' must hold dates, or texts such as 2026-01-31, found Int64"
    assert refused(named, tmp_path) == [("FF033", "dataset.parquet.dates.0", message, None)]


def test_texts_that_are_dates_are_no_categories(tmp_path: Path) -> None:
    text = "sold,y\n" + "".join(f"2026-01-{day:02},{day}\n" for day in range(1, 32))
    message = "column 'sold' must hold categories, found 31 different texts in 31 rows"
    hint = "write 'dates: [sold]' to use its parts, or leave it out with 'drop: [sold]'"
    assert refused(table(text, tmp_path), tmp_path) == [("FF033", "dataset.csv", message, hint)]


def test_texts_in_order_become_their_place(tmp_path: Path) -> None:
    text = "size,n,y\nlarge,1,0\nsmall,2,1\nmedium,3,0\n"
    data = loaded(table(text, tmp_path, **ORDERED, prepare="minmax"), tmp_path)
    assert data.features == ("size", "n")
    assert data.splits["train"].x[:, 0].tolist() == [1, 0, 0.5]
    assert again(data).apply({"n": [1, 2], "size": ["medium", "large"]}).tolist() == [[0.5, 0], [1, 0.5]]


def test_a_text_outside_of_the_order_is_refused_or_missing(tmp_path: Path) -> None:
    text = "size,n,y\nlarge,1,0\ntiny,2,1\nmedium,3,0\n"
    message = "column 'size' must hold one of 'small', 'medium' and 'large', found 'tiny' in row "
    hint = "name it in 'ordered', or write 'prepare: {missing: median}'"
    assert refused(table(text, tmp_path, **ORDERED), tmp_path) == [
        ("FF033", "dataset.csv.ordered.size", message + "2", hint)
    ]
    data = loaded(table(text, tmp_path, **ORDERED, prepare={"missing": "mean", "missing_indicator": True}), tmp_path)
    assert data.features == ("size", "size (missing)", "n")
    assert data.splits["train"].x.tolist() == [[2, 0, 1], [1.5, 1, 2], [1, 0, 3]]
    rows = {"size": ["huge", None, "small"], "n": [1, 2, 3]}
    assert again(data).apply(rows).tolist() == [[1.5, 1, 1], [1.5, 1, 2], [0, 0, 3]]
    strict = again(loaded(table(text.replace("tiny", "small"), tmp_path, **ORDERED), tmp_path))
    with pytest.raises(SpecError) as caught:
        strict.apply(rows)
    assert said(caught.value) == [("FF033", "", f"{message[: -len(repr('tiny') + ' in row ')]}'huge' in row 1", hint)]


def test_numbers_are_in_order_already(tmp_path: Path) -> None:
    frame = pl.DataFrame({"size": [1, 2], "y": [0, 1]})
    frame.write_parquet(tmp_path / "a.parquet")
    value = {"parquet": {"path": "a.parquet", "target": "y", **ORDERED}, "split": "none"}
    message = "column 'size' must hold texts to be ordered, found Int64"
    hint = "numbers are in order as they are"
    assert refused(value, tmp_path) == [("FF033", "dataset.parquet.ordered.size", message, hint)]
    frame.with_columns(pl.Series("size", ["small", "large"]).cast(pl.Categorical)).write_parquet(tmp_path / "a.parquet")
    assert loaded(value, tmp_path).splits["train"].x.tolist() == [[0], [2]]
    value["parquet"] = {"path": "a.parquet", "target": "y", "ordered": {"sise": ["a", "b"]}}
    assert refused(value, tmp_path) == [
        ("FF031", "dataset.parquet.ordered.sise", "there is no column 'sise'", "did you mean 'size'?")
    ]
