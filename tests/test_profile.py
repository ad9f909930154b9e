"""What a column of a table is taken for, from its cells alone."""

from __future__ import annotations

import polars as pl
import pytest

from ffspec.data.profile import profile
from ffspec.proposal.columns import judge
from ffspec.proposal.scales import order_of


def cells(*values: str | None) -> str:
    """Say what a column of a text file is read as, and why."""
    column = profile(pl.Series("c", values, dtype=pl.String), text=True)
    verdict = judge(column, text=True)
    return f"{column.kind}: {verdict.reason or verdict.role}"


MANY = [str(i * i % 1009) for i in range(60)]
NUMERALS = "numerals: numbers written as texts: {} in row 1 and {} in row 2; write plain numbers in the file"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (MANY, "numbers: number"),
        ([*MANY, "n/a", "NA", "-"], "numbers: number"),
        ([*MANY, "inf"], "numbers: number"),
        ([*MANY, "12O"], "numbers: number"),
        ([f"{value}.5 kg" for value in MANY], NUMERALS.format("'0.5 kg'", "'1.5 kg'")),
        ([f"{value},5" for value in MANY], NUMERALS.format("'0,5'", "'1,5'")),
        ([*MANY, *"abcdefghi"], "mixed: numbers and texts: 'a' in row 61 and 'b' in row 62; write numbers in the file"),
        ([*("0123" * 20), "4+", "4+", "4+"], "mixed: ordered"),
        ([str(i) for i in range(60)], "numbers: counts the rows, from 0 to 59"),
        (["yes", "no"] * 30, "texts: category"),
        (["True", "FALSE"] * 30, "booleans: category"),
        (["S", "M", "XL"] * 20, "texts: ordered"),
        (["18-25", "<18", "26-64", "65+"] * 20, "texts: ordered"),
        (["2024-01-31", "2024-02-01"] * 30, "dates: date"),
        (["2024-01-31 10:30", "-", None] * 30, "dates: date"),
        (["2024-01-31T10:30:00+01:00", "2024-01-31T10:30:00Z"] * 30, "dates: date"),
        (
            ["31.01.2024 10:30", "01.02.2024 11:00"] * 30,
            "dates: dates such as '31.01.2024 10:30' in row 1; written as 2026-01-31 they can be used",
        ),
        ([f"k{i}" for i in range(60)], "texts: a different text in every row: it names the row"),
        ([f"k{i % 40}" for i in range(60)], "texts: 40 different texts in 60 rows: names, not categories"),
        (["7"] * 60, "numbers: is 7 in every row"),
        (["a"] * 60, "texts: is 'a' in every row"),
        (["a"] * 59 + ["b"], "texts: is 'a' in all rows but 1"),
        (["x"] + [None] * 59, "texts: has a value in 1 row only"),
        (["x"] * 30 + [None] * 30, "texts: category"),
        ([None] * 60, "empty: has no value at all"),
    ],
)
def test_what_a_column_is_good_for(values: list[str | None], said: str) -> None:
    assert cells(*values) == said


@pytest.mark.parametrize(
    ("levels", "order"),
    [
        (["high", "Low", "medium"], ("Low", "medium", "high")),
        (["Ideal", "Fair", "Premium", "Very Good", "Good"], ("Fair", "Good", "Very Good", "Premium", "Ideal")),
        (["65+", "<18", "18-25", "26 to 64"], ("<18", "18-25", "26 to 64", "65+")),
        (["10-20", "0-9", "15-30"], None),
        (["low", "high"], None),
        (["low", "LOW", "high"], None),
        (["1 kg", "2 kg", "3 kg"], None),
        (["red", "green", "blue"], None),
    ],
)
def test_levels_in_order(levels: list[str], order: tuple[str, ...] | None) -> None:
    assert order_of(levels) == order
