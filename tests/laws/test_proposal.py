"""The law of proposals: whatever a table holds, its spec is without errors and its rows load, or it is refused."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

import ffspec
from ffspec import api, document
from ffspec.diagnostics import Severity, SpecError

WORDS = ("a", "b", "A ", "c d", "#", "x: y", "'", '"', "- 1", "yes", "\u2028", "\x07", "é", "{}", "null", "~")
NUMERALS = ("1,000", "2,5", "12 %", "$3", "4 kg", "5+", "<3", "1-2")
MARKS = ("n/a", "NA", "?", "-", "nan", "inf", "-inf", "NULL", "none", "unknown")
DATES = ("2024-01-31", "2024-02-29 10:30", "31.12.2023", "1/2/2024", "2023-06-01T00:00:00Z")

numbers = st.one_of(st.integers(-3, 40), st.integers(-(10**12), 10**12), st.floats(allow_nan=False, width=32)).map(str)
pools = st.lists(
    st.one_of(
        numbers,
        st.sampled_from(WORDS),
        st.sampled_from(NUMERALS),
        st.sampled_from(MARKS),
        st.sampled_from(DATES),
        st.sampled_from(("true", "False")),
        st.none(),
        st.text(max_size=60),
    ),
    min_size=1,
    max_size=6,
)
names = st.one_of(st.sampled_from(["x", "id", "Age", "*", "^a.*$", "a: b", "#", "date"]), st.text(max_size=8))


@st.composite
def columns(draw: st.DrawFn, rows: int) -> list[Any]:
    """Draw a column: cells of a small pool, a number in every row, or nearly all of one kind."""
    kind = draw(st.sampled_from(["pool", "pool", "count", "spread", "texts"]))
    pool = draw(pools)
    if kind == "count":
        start = draw(st.integers(-5, 5))
        return [str(start + row) for row in range(rows)]
    if kind in ("spread", "texts"):
        step = draw(st.integers(1, 1000))
        made: list[Any] = [f"{'k' * (kind == 'texts')}{row * step % 997}" for row in range(rows)]
        for place in draw(st.lists(st.integers(0, rows - 1), max_size=3)):
            made[place] = pool[0]
        return made
    picks = draw(st.randoms(use_true_random=False))
    return [picks.choice(pool) for _ in range(rows)]


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Draw a table."""
    rows = draw(st.integers(10, 80))
    named = draw(st.lists(names, min_size=2, max_size=6, unique=True))
    return {name: draw(columns(rows)) for name in named}


@settings(max_examples=60)
@given(table=tables(), parquet=st.booleans())
def test_a_proposal_is_sound_or_refused(table: dict[str, list[Any]], parquet: bool) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        frame = pl.DataFrame(table, schema=dict.fromkeys(table, pl.String))
        if parquet:
            frame.write_parquet(path)
        else:
            frame.write_csv(path)
        try:
            text = ffspec.propose(path, list(table)[-1])
        except SpecError:
            return
        opened = document.parse(text, directory=folder)
        assert not opened.diagnostics, (opened.diagnostics, text)
        found = api.diagnose(opened, data=True)
        # Rows may repeat each other or not: that is for their owner to say.
        errors = [item.head for item in found if item.severity is Severity.ERROR and item.code != "FF204"]
        assert not errors, (errors, text)
