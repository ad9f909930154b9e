"""Large files, read piece by piece: what is read is what the whole file would have been read as."""

from __future__ import annotations

import math
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffspec.data import files, load, pieces
from ffspec.data.held import packed, unpacked
from ffspec.data.memory import give_back, unfilled
from ffspec.data.opening import Folder
from ffspec.spec.dataset import Dataset
from tests.dataloading import loaded, refused

TABLES: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "numbers": ("x,z,y\n" + "".join(f"{n},{n / 7!r},{n % 3}\n" for n in range(40)), {}),
    "fractions later": ("x,y\n" + "-0,1\n0,0\n" * 20 + "0.5,1\n-0,0\n", {}),
    "texts later": ("x,y\n" + "1,1\n2,0\n" * 20 + "a,1\n", {"categorical": ["x"]}),
    "slips": ("x,y\n" + "1,1\n2,0\n" * 20 + "n/a,1\n3,0\n" * 3, {}),
    "marks": ("x,y\n" + "1,1\n n/a ,0\n" * 20, {"null_values": ["n/a"]}),
    "a number as mark": ("x,y\n" + "1,1\n 99,0\n 2 ,1\n" * 20, {"null_values": ["99"]}),
    "blank lines": ("x,z,y\n" + "1,2,1\n\n3,4,0\n" * 20, {}),
    "gaps at the end": ("y,x\n" + "1,2\n0,\n" * 20, {}),
    "quotes": ("x,z,y\n" + '1,"a\nb",1\n2,"c,d",0\n' * 20, {}),
    "booleans": ("x,z,y\n" + "1,True,1\n2,false,0\n" * 20, {}),
    "patterns": ("*,^y$,y\n" + "1, a,1\n2,b ,0\n" * 20, {}),
    "carriage returns": ("x,z,y\r\n" + "1,2,1\r\n2,,0\r\n" * 20, {}),
    "infinite": ("x,y\n" + "1,1\n2,0\n" * 20 + "inf,0\n", {}),
    "short": ("x,z,y\n" + "1,2,1\n2,3,0\n" * 20 + "1,2\n", {}),
    "long": ("x,z,y\n" + "1,2,1\n2,3,0\n" * 20 + "1,2,3,4\n", {}),
    "without targets": ("x,y\n" + "1,1\n2,\n3,0\n" * 20, {"missing_target": "drop"}),
    "dates": ("d,x,y\n" + "2026-01-02,1,1\n2025-03-04,,0\n" * 20, {"dates": ["d"]}),
    "more decimals later": ("x,z,y\n" + "1,-0.0,1\n,0.0,0\n0.5,,1\n-0.25,-0.001,0\n" * 9 + "214748364.75,3e-9,1\n", {}),
    "long decimals later": ("x,z,y\n" + "1.5,2,1\n,-0,0\n" * 20 + f"{1 / 7!r},1e300,1\n3000000000,-0.0,0\n", {}),
    "no text": (b"x,y\n" + b"1,1\n2,0\n" * 20 + b"caf\xe9,1\n", {}),
}  # fmt: skip


@pytest.mark.parametrize("room", [1 << 26, 0])
@pytest.mark.parametrize("name", TABLES)
def test_a_piece_is_read_as_the_whole(name: str, room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room, columns of long decimals are left in the file, and read again when they are needed."""
    text, options = TABLES[name]
    (tmp_path / "a.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    value: dict[str, Any] = {"csv": {"path": "a.csv", "target": "y", **options}, "split": {"test": 0.3}}
    value["prepare"] = {"missing": "mean", "scale": "none"}
    expected = outcome(value, tmp_path)
    monkeypatch.setattr(pieces, "PIECE", 64)
    monkeypatch.setattr(pieces, "ROOM", room)
    monkeypatch.setattr(pieces, "SHARE", 0)
    assert outcome(value, tmp_path) == expected


@pytest.mark.parametrize("piece", [1, 1 << 30])
def test_columns_of_a_parquet_file_are_read_as_the_whole(
    piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that polars would take for patterns, small types, gaps and rows of nothing but gaps."""
    numbers = [1, 2, None, 4, 5, None]
    frame = pl.DataFrame({
        "^f.*$": pl.Series([0.1, 2.0, 3.0, 4.0, 5.0, None], dtype=pl.Float32),
        "i": pl.Series(numbers, dtype=pl.Int16),
        "*": pl.Series([0.1, float("nan"), None, 4.0, 5.0, None]),
        "u": pl.Series([7, 8, 9, 10, 11, None], dtype=pl.UInt64),
        "t": ["a", None, "b", "a", "b", None],
        "y": [1, 0, 1, 0, 1, None],
    })  # fmt: skip
    frame.write_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr(pieces, "PIECE", piece)
    value = {"parquet": {"path": "a.parquet", "target": "y"}, "split": "none", "prepare": {"missing": "most_frequent"}}
    data = loaded(value, tmp_path)
    assert data.features == ("^f.*$", "i", "*", "u", "t=a", "t=b", "t=(unknown)")
    assert data.splits["train"].x.tolist() == [
        [float(np.float32(0.1)), 1, 0.1, 7, 1, 0, 0],
        [2, 2, 0.1, 8, 0, 0, 1],
        [3, 1, 0.1, 9, 0, 1, 0],
        [4, 4, 4, 10, 1, 0, 0],
        [5, 5, 5, 11, 0, 1, 0],
    ]


def test_features_kept_as_float32_are_those_of_float64_rounded_once(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    dataset = Dataset.model_validate({"arrays": {}, "prepare": {"scale": "standardize", "smooth_clip": 2}})
    arrays = draw.normal(1e6, 3.0, (500, 4)), draw.normal(size=500)
    wide, narrow = (
        load(dataset, seed=0, directory=tmp_path, arrays=arrays, single=single).splits["train"].x
        for single in (False, True)
    )
    assert narrow.dtype == np.float32
    assert np.array_equal(wide.astype(np.float32), narrow)
    assert narrow.ctypes.data % 64 == 0


def test_a_large_file_takes_little_more_than_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 20_000
    text = "x,z,y\n" + "".join(f"{n}.5,{n}.25,{n % 2}\n" for n in range(rows))
    (tmp_path / "a.csv").write_text(text)
    monkeypatch.setattr(pieces, "PIECE", 1 << 14)
    table = Dataset.model_validate({"csv": {"path": "a.csv", "target": "y"}}).source
    tracemalloc.start()
    with files.open_table(table, "a.csv", Folder(tmp_path), ("dataset",)) as opened:  # type: ignore[arg-type]
        part = opened.read(("x", "z", "y"), frozenset({"x", "z"}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert list(part.floats) == ["x", "z"]
    assert len(part) == rows
    assert peak < 2 * 8 * rows + 300_000  # of which the text would take more


@given(
    st.integers(0, 9),
    st.lists(st.integers(-(2**31), 2**31) | st.floats(allow_infinity=False) | st.just(-0.0), max_size=20),
)
def test_whole_numbers_stand_for_decimals_to_the_last_bit_or_not_at_all(digits: int, cells: list[float]) -> None:
    values = np.array([cell / 10**digits if isinstance(cell, int) else cell for cell in cells], dtype=np.float64)
    whole = packed(values, digits)
    decimal = [math.isnan(cell) or (cell * 10**digits).is_integer() for cell in map(float, values)]
    if whole is None:
        assert not all(decimal) or max(abs(values[~np.isnan(values)])) * 10**digits > 2**31 - 3
    else:
        given = np.where(np.isnan(values), np.nan, values)  # of one kind
        assert unpacked(whole, digits, np.empty(len(values))).tobytes() == given.tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep it")
def test_memory_is_given_back_where_features_are_put_side_by_side_for_the_last_time() -> None:
    values = unfilled((3 << 18,), np.float32)
    values[:] = 1
    give_back(values[:], (2 << 18) + 1)
    assert values.tolist() == [0.0] * (2 << 18) + [1.0] * (1 << 18)


def outcome(value: dict[str, Any], folder: Path) -> Any:
    """Return what is loaded, to the last bit, or what is said."""
    try:
        data = loaded(value, folder)
    except Exception:  # noqa: BLE001 - `refused` says what it was
        return refused(value, folder)
    bits = {name: (split.x.tobytes(), split.y.tobytes()) for name, split in data.splits.items()}
    return data.features, data.classes, bits
