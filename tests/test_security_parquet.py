"""A damaged Parquet file is an error: its sizes are looked at before a library believes them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffspec.data.parquet import Damaged, largest_page
from ffspec.diagnostics import SpecError
from tests.dataloading import loaded, refused

VALUE = {"parquet": {"path": "a.parquet", "target": "y"}, "split": "none"}
COLUMNS = {
    "x": [0.5 * row for row in range(200)],
    "t": ["abc"[row % 3] for row in range(200)],
    "b": [row % 2 == 0 for row in range(200)],
    "n": [None if row % 3 else row for row in range(200)],
    "l": [[1] * (row % 3) for row in range(200)],
    "s": [{"a": row, "b": None} for row in range(200)],
    "y": [row % 2 for row in range(200)],
}


def written(columns: dict[str, Any] | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(COLUMNS if columns is None else columns).write_parquet(buffer, **options)
    return buffer.getvalue()


SMALL = written({"x": [1.0, 2.0, 3.0], "t": ["a", "b", "a"], "y": [0, 1, 0]}, compression="uncompressed")


@pytest.mark.parametrize(
    "options",
    [
        *({"compression": name} for name in ("uncompressed", "snappy", "gzip", "brotli", "lz4", "zstd")),
        {"row_group_size": 50, "data_page_size": 100},
        {"statistics": False},
    ],
    ids=str,
)
def test_sound_files_are_sound(options: dict[str, Any]) -> None:
    assert largest_page(written(**options)) > 100


def test_a_file_without_rows_is_sound(tmp_path: Path) -> None:
    data = written({"x": pl.Series([], dtype=pl.Float64), "y": pl.Series([], dtype=pl.Int64)})
    assert largest_page(data) == 0
    (tmp_path / "a.parquet").write_bytes(data)
    message = "a.parquet has a header but no rows"
    assert refused(VALUE, tmp_path) == [("FF030", "dataset.parquet.path", message, None)]


def changed(before: bytes, after: bytes, start: int = 0) -> bytes:
    """Return the small file with the first such bytes changed."""
    at = SMALL.index(before, start)
    return SMALL[:at] + after + SMALL[at + len(before) :]


FOOTER = len(SMALL) - 8 - int.from_bytes(SMALL[-8:-4], "little")
"""Where the footer begins."""
DAMAGED = [
    (b"", "it does not begin and end with PAR1"),
    (b"PAR1PAR1", "it does not begin and end with PAR1"),
    (SMALL[:-1], "it does not begin and end with PAR1"),
    (b"PAR1\xff\xff\xff\xffPAR1", "a list leads out of it"),
    (b"PAR1\x00" + (1).to_bytes(4, "little") + b"PAR1", "a list is missing"),
    # The number of rows, 3, is written as 6; -42 is written as 0x53.
    (changed(b"\x16\x06", b"\x16\x53", FOOTER), "a size is missing or negative"),
    (changed(b"\x16\x06", b"\x16\x08", FOOTER), "its parts have other rows than the whole"),
    (b"PAR1" + b"\x1c" * 40 + (40).to_bytes(4, "little") + b"PAR1", "its parts nest too deeply"),
    (b"PAR1\x16" + b"\x80" * 11 + (12).to_bytes(4, "little") + b"PAR1", "a number does not end"),
    (b"PAR1\x1e" + (1).to_bytes(4, "little") + b"PAR1", "a part is of no known kind"),
]


@pytest.mark.parametrize(("data", "message"), DAMAGED, ids=[f"{len(data)} {message}" for data, message in DAMAGED])
def test_what_is_damaged_is_said(data: bytes, message: str) -> None:
    with pytest.raises(Damaged, match=message):
        largest_page(data)


def test_no_changed_byte_makes_a_traceback_or_ends_the_process(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of some bytes, as they are read here, polars by itself asks for two exabytes and ends the process."""
    for at in (*range(4, FOOTER), *range(FOOTER, len(SMALL), 5)):
        (tmp_path / "a.parquet").write_bytes(SMALL[:at] + bytes([SMALL[at] ^ 0x55]) + SMALL[at + 1 :])
        try:
            loaded(VALUE, tmp_path)
        except SpecError as error:
            assert {item.code[:4] for item in error.diagnostics} == {"FF03"}  # noqa: PT017
    capfd.readouterr()  # a panic of polars says so itself


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: b"PAR1" + data + b"PAR1"))
def test_any_bytes_are_answered(data: bytes) -> None:
    try:
        assert largest_page(data) >= 0
    except Damaged as error:
        assert str(error)  # noqa: PT017


@given(st.integers(4, len(SMALL) - 5), st.binary(min_size=1, max_size=4))
def test_any_change_is_answered(at: int, put: bytes) -> None:
    try:
        assert largest_page(SMALL[:at] + put + SMALL[at + len(put) :]) >= 0
    except Damaged as error:
        assert str(error)  # noqa: PT017
