"""Data stays in the spec's folder, polars gets bytes and no names, and what is too large is refused unmade."""

from __future__ import annotations

import io
import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

import ffspec
from ffspec import limits
from ffspec.builder.optimizer import build_optimizers
from ffspec.cli import _exit_code
from ffspec.rules import memory
from ffspec.spec.optimizers import OPTIMIZERS
from ffspec.spec.sources import COLUMNS
from tests.dataloading import loaded, refused
from tests.snippets import OPTIONAL

ROWS = "x,y\n1,0\n2,0\n3,1\n4,1\n"
SPEC = (
    "dataset: {csv: {path: PATH, target: y}, split: none}\nlayers: [linear]\nloss: bce_with_logits\noptimizer: adam\n"
)
INSIDE = "a data file must lie in the folder of the spec, "
ALLOW = "move it there, or allow it: --allow-outside, or allow_outside=True in Python"
FILE = "dataset.csv.path"


def table(path: str, **arguments: Any) -> dict[str, Any]:
    return {"csv": {"path": path, "target": "y", **arguments}, "split": "none"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A spec's folder, with data in it and beside it, and links to both."""
    made = tmp_path / "specs"
    (made / "below").mkdir(parents=True)
    for file in (tmp_path / "a.csv", made / "a.csv", made / "below" / "a.csv"):
        file.write_text(ROWS)
    (made / "link.csv").symlink_to(tmp_path / "a.csv")
    (made / "inner.csv").symlink_to(made / "below" / "a.csv")
    (made / "out").symlink_to(tmp_path)
    (made / "spec.yaml").write_text(SPEC.replace("PATH", "../a.csv"))
    (tmp_path / "specs and more").mkdir()
    return made


@pytest.mark.parametrize("path", ["a.csv", "below/a.csv", "below/../a.csv", "../specs/a.csv", "inner.csv", "./a.csv"])
def test_data_in_the_folder_is_read(path: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(table(path), folder).facts.rows == {"train": 4}
    assert loaded(table(str(folder / path)), folder).facts.rows == {"train": 4}
    monkeypatch.chdir(folder)
    assert loaded(table(path), Path()).facts.rows == {"train": 4}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("../a.csv", "found ../a.csv"),
        ("below/../../a.csv", "found below/../../a.csv"),
        ("../there is no such file", "found ../there is no such file"),
        ("../specs and more/a.csv", "found ../specs and more/a.csv"),
        ("link.csv", "but link.csv leads to ../a.csv"),
        ("out/a.csv", "but out/a.csv leads to ../a.csv"),
        ("/etc/passwd", "found /etc/passwd"),
        ("/dev/zero", "found /dev/zero"),
        ("..", "found .."),
    ],
)
def test_data_outside_the_folder_is_refused(path: str, found: str, folder: Path) -> None:
    assert refused(table(path), folder) == [("FF038", FILE, INSIDE + found, ALLOW)]
    validated = refused(table("a.csv", validation=path), folder)
    assert validated == [("FF038", "dataset.csv.validation", INSIDE + found, ALLOW)]


def test_what_is_outside_can_be_allowed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = folder / "spec.yaml"
    said = (
        f"{spec}:1:23: error[FF038]: a data file must lie in the folder of the spec, found ../a.csv\n"
        "    1 | dataset: {csv: {path: ../a.csv, target: y}, split: none}\n"
        "      |                       ^^^^^^^^ move it there, or allow it: --allow-outside, or allow_outside=True in "
        "Python\n"
        "1 error\n"
    )
    quick = ["--set", "training.epochs=1", "--out", str(folder / "runs")]
    assert _exit_code(["check", "--data", str(spec)]) == 1
    assert capsys.readouterr().err.replace("\n      = ", " ").split() == said.split()
    assert _exit_code(["run", str(spec), *quick]) == 2
    assert not (folder / "runs").exists()
    assert _exit_code(["check", "--data", "--allow-outside", str(spec)]) == 0
    assert _exit_code(["check", "--probe", "--allow-outside", str(spec)]) == 0
    assert _exit_code(["run", "--allow-outside", str(spec), *quick, "-q"]) == 0
    assert [item.code for item in ffspec.check(spec, data=True)] == ["FF038"]
    assert [item.code for item in ffspec.check(spec, data=True, allow_outside=True)] == []
    with pytest.raises(ffspec.SpecError, match="FF038"):
        ffspec.build(spec)
    assert len(ffspec.build(spec, allow_outside=True)) == 1


def test_a_run_directory_does_not_lead_out_by_itself(folder: Path) -> None:
    first = ffspec.run(folder / "spec.yaml", overrides=["training.epochs=1"], out=folder / "runs", allow_outside=True)
    assert first.directory is not None
    with pytest.raises(ffspec.SpecError, match="FF038"):
        ffspec.run(first.directory / "resolved.yaml")
    assert ffspec.run(first.directory / "resolved.yaml", allow_outside=True).history == first.history


def test_a_spec_as_text_reads_from_the_working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert ffspec.check(SPEC.replace("PATH", "a.csv"), data=True) == ()
    assert [item.code for item in ffspec.check(SPEC.replace("PATH", "../a.csv"), data=True)] == ["FF038"]


ADDRESSES = [
    "https://example.org/a.csv", "http://[::1]/a.csv", "s3://bucket/a.csv", "gs://bucket/a.csv", "az://c/a.csv",
    "file:///etc/passwd", "hf://datasets/a/b.csv", "//server/share/a.csv", r"\\server\share\a.csv",
]  # fmt: skip


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_address_is_no_file(path: str, kind: str, tmp_path: Path) -> None:
    found = refused({kind: {"path": path, "target": "y"}}, tmp_path)
    message = f"must be a file, found the address {path}"
    assert found == [("FF030", f"dataset.{kind}.path", message, "download it first, and name the file")]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("*.csv", "one file is read: '*', '?' and '[' stand for themselves"),
        ("?.csv", "one file is read: '*', '?' and '[' stand for themselves"),
        ("[a-z].csv", "one file is read: '*', '?' and '[' stand for themselves"),
        ("~/a.csv", "'~' does not stand for the home folder here; paths begin at the folder of the spec"),
        ("$HOME/a.csv", "paths begin at the folder of the spec"),
    ],
)
def test_names_stand_for_themselves(path: str, hint: str, folder: Path) -> None:
    assert refused(table(path), folder) == [("FF030", FILE, f"there is no file {path}", hint)]
    file = folder / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(ROWS)
    assert loaded(table(path), folder).facts.rows == {"train": 4}


def test_polars_is_handed_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed = []

    def watched(plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(source: Any, **given: Any) -> Any:
            handed.append(type(source))
            return plain(source, **given)

        return call

    for name in ("read_csv", "read_parquet", "read_parquet_schema", "scan_parquet"):
        monkeypatch.setattr(pl, name, watched(getattr(pl, name)))
    pl.DataFrame({"x": [1.0, 2.0], "y": [0, 1]}).write_parquet(folder / "a.parquet")
    loaded(table("a.csv", test="below/a.csv"), folder)
    loaded({"parquet": {"path": "a.parquet", "target": "y"}, "split": "none"}, folder)
    assert len(handed) >= 5
    assert set(handed) == {io.BytesIO}


def test_nothing_is_unpacked(folder: Path) -> None:
    for start, kind in ((b"\x1f\x8b\x08", "gzip"), (b"(\xb5/\xfd", "zstd"), (b"BZh9", "bzip2"), (b"PK\x03\x04", "zip")):
        (folder / "a.csv").write_bytes(start + b"...")
        message = f"must be a text file, but a.csv is compressed with {kind}"
        assert refused(table("a.csv"), folder) == [("FF030", FILE, message, "unpack it first")]
    # What zlib packs may look like text. Here the bytes are themselves a table, with a separator no one would type.
    (folder / "a.csv").write_text("x\x01y\n1\x010\n2\x011\n")
    assert loaded(table("a.csv", separator="\x01"), folder).features == ("x",)
    (folder / "a.csv").write_bytes(zlib.compress(ROWS.encode() * 100))
    [(code, _, message, _)] = refused(table("a.csv"), folder)
    assert (code, message[:31]) == ("FF030", "a.csv must be UTF-8 text, found")


def test_a_header_of_many_columns_takes_no_time_and_is_refused(folder: Path) -> None:
    (folder / "a.csv").write_text(",".join(map(str, range(COLUMNS + 1))) + "\n1\n")
    message = "a table may have at most 100,000 columns, found 100,001 in a.csv"
    assert refused(table("a.csv"), folder) == [("FF039", FILE, message, None)]
    (folder / "a.csv").write_text("x" * 200_000 + ",y\n1,0\n")
    message = "the header of a.csv cannot be read: field larger than field limit (131072)"
    assert refused(table("a.csv"), folder) == [("FF030", FILE, message, None)]


GENEROUS, SCARCE = 10**15, 10**6


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    """One megabyte is free, and nothing is so small that it is not asked for."""
    monkeypatch.setattr(limits, "SMALL", 0)
    monkeypatch.setattr(limits, "free_memory", lambda: SCARCE)


LARGE = "data must fit into memory, but "
FEWER = "take fewer rows, or leave columns out"


def test_a_file_is_measured_before_it_is_read(folder: Path, scarce: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with (folder / "a.csv").open("wb") as file:
        file.truncate(1_200_000)
    found = ("FF039", FILE, LARGE + "a.csv needs about 3.6 MB, 1.0 MB are free", FEWER)
    assert refused(table("a.csv"), folder) == [found]
    monkeypatch.setattr(limits, "free_memory", lambda: None)
    assert refused(table("a.csv"), folder)[0][0] == "FF030", "where the system says nothing, nothing is refused"


def test_cells_are_counted_before_they_are_read(folder: Path, scarce: None) -> None:
    (folder / "a.csv").write_text("x,y\n" + "1,0\n" * 20_000)
    found = ("FF039", FILE, LARGE + "a.csv needs about 2.2 MB, 1.0 MB are free", FEWER)
    assert refused(table("a.csv"), folder) == [found]


def test_a_small_parquet_file_of_many_rows_is_refused(folder: Path, scarce: None) -> None:
    pl.DataFrame({"x": [1.0] * 200_000, "y": [0] * 200_000}).write_parquet(folder / "a.parquet")
    assert (folder / "a.parquet").stat().st_size < 10_000
    value = {"parquet": {"path": "a.parquet", "target": "y"}, "split": "none"}
    [(code, place, message, hint)] = refused(value, folder)
    assert (code, place, hint) == ("FF039", "dataset.parquet.path", f"write streaming: true beside its path, {FEWER}")
    assert re.fullmatch(LARGE + r"a\.parquet needs about (9|10)\.\d MB, 1\.0 MB are free", message)


def test_a_long_text_said_once_for_many_rows_is_refused(folder: Path, scarce: None) -> None:
    frame = pl.DataFrame({"t": ["t" * 10_000, "u"] * 500, "y": [0, 1] * 500})
    frame.write_parquet(folder / "a.parquet")
    assert (folder / "a.parquet").stat().st_size < 20_000
    value = {"parquet": {"path": "a.parquet", "target": "y", "dates": ["t"]}, "split": "none"}
    found = ("FF039", "dataset.parquet.dates.0", LARGE + "column 't' needs about 5.1 MB, 1.0 MB are free",
             "leave it out with 'drop: [t]'")  # fmt: skip
    assert refused(value, folder) == [found]


def test_rows_are_measured_before_they_are_drawn_or_made_wide(folder: Path, scarce: None) -> None:
    value = {"blobs": {"n_samples": 10_000_000, "n_features": 20}}
    message = LARGE + "10,000,000 rows of 20 features needs about 3.2 GB, 1.0 MB are free"
    assert refused(value) == [("FF039", "dataset.blobs", message, "take fewer rows")]
    (folder / "a.csv").write_text("t,y\n" + "".join(f"t{row % 50},0\n" for row in range(3000)))
    message = LARGE + "3,000 rows of 51 features needs about 1.2 MB, 1.0 MB are free"
    hint = "leave out columns of many different texts: each text becomes a feature"
    assert refused(table("a.csv"), folder) == [("FF039", "dataset.csv", message, hint)]


WIDE = """\
dataset: {blobs: {n_samples: SAMPLES, n_features: 10}}
layers: [{linear: 4000}, relu, {linear: 4000}, relu, linear]
loss: cross_entropy
optimizer: OPTIMIZER
training: {batch_size: SIZE, epochs: 1}
"""


TOO_LARGE = [
    ("adam", "1000", "32",
     "4: 334.1 MB; rows 72.0 kB, parameters 192.7 MB, optimizer state 128.5 MB, activations 12.8 MB",
     "make the layers narrower, or take sgd"),
    ("sgd", "1000", "32", "4: 205.6 MB; rows 72.0 kB, parameters 192.7 MB, activations 12.8 MB",
     "make the layers narrower"),
    ("sgd", "10000", "all", "5: 577.1 MB; rows 0.4 MB, parameters 192.7 MB, activations 384.0 MB",
     "write a smaller batch_size"),
    ("sgd", "9000000", "32", "1: 814.9 MB; rows 360.0 MB, parameters 192.7 MB, activations 262.1 MB",
     "take fewer rows or columns"),
]  # fmt: skip


@pytest.mark.parametrize(("optimizer", "samples", "size", "said", "hint"), TOO_LARGE)
def test_a_training_is_measured_before_anything_is_made(  # noqa: PLR0913, PLR0917 - the columns of a table
    optimizer: str, samples: str, size: str, said: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "free_memory", lambda: 10**8)
    monkeypatch.setattr(limits, "SMALL", 0)
    text = WIDE.replace("OPTIMIZER", optimizer).replace("SIZE", size).replace("SAMPLES", samples)
    [found] = [item for item in ffspec.check(text) if item.code == "FF029"]
    assert found.span is not None
    line, needed, parts = re.fullmatch(r"(\d+): (.*); (.*)", said).groups()  # type: ignore[union-attr]
    message = f"a training must fit into memory, but this one needs about {needed}, 100.0 MB are free ({parts})"
    assert (found.span.start.line, found.message, found.hint) == (int(line), message, hint)
    assert "FF029" not in {item.code for item in ffspec.check(text, allow=["FF029"])}
    monkeypatch.setattr(limits, "free_memory", lambda: GENEROUS)
    assert "FF029" not in {item.code for item in ffspec.check(text)}


KEEPING = [
    *(kind.name for kind in OPTIMIZERS), "{sgd: {momentum: 0.9}}", "{adam: {amsgrad: true}}",
    "{rmsprop: {momentum: 0.5, centered: true}}", "{lbfgs: {history_size: 3}}",
]  # fmt: skip


def numbers_in(value: object) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel()
    return sum(map(numbers_in, value)) if isinstance(value, list | tuple) else 0


@pytest.mark.parametrize("optimizer", KEEPING)
def test_what_an_optimizer_keeps_is_what_pytorch_keeps(optimizer: str) -> None:
    """Counts the state after two steps; lbfgs keeps a gradient and a direction beside its history."""
    text = f"dataset: iris\nlayers: [{{linear: 300}}, relu, {{linear: 300}}, relu, linear]\noptimizer: {optimizer}\n"
    spec = ffspec.load(text + "loss: cross_entropy\ntraining: {epochs: 2, batch_size: all}\n", allow=OPTIONAL)
    network = ffspec.build(spec)
    optimizers = build_optimizers(spec.optimizer, network)

    def closure() -> float:
        for parameter in network.parameters():
            parameter.grad = None
        loss = network(torch.linspace(-1, 1, 40).reshape(10, 4)).square().sum()
        loss.backward()
        return float(loss.detach())

    for one in optimizers * 2:
        one.step(closure)  # type: ignore[arg-type, call-overload, unused-ignore]
    kept = sum(numbers_in(value) for one in optimizers for state in one.state.values() for value in state.values())
    counted = memory._states(ffspec.plan(spec), dict(spec))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert counted <= kept / parameters < counted + (2.1 if "lbfgs" in optimizer else 0.1)


def test_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meminfo, groups = tmp_path / "meminfo", tmp_path / "groups"
    monkeypatch.setattr(limits, "MEMINFO", meminfo)
    monkeypatch.setattr(limits, "GROUPS", groups)
    whole = limits.free_memory()
    assert whole is None or whole == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable:    3000 kB\nSwapFree:  1000 kB\nHugePages_Total:       0\n")
    assert limits.free_memory() == 4000 * 1024
    for limit, used, details, cached in limits.GROUP_FILES:
        folder = (groups / limit).parent
        folder.mkdir(exist_ok=True)
        (groups / limit).write_text("2000000\n")
        (groups / used).write_text("1500000\n")
        (groups / details).write_text(f"anon 7\n{cached} 100000\n")
        assert limits.free_memory() == 600_000
        (groups / limit).write_text("max\n")
        assert limits.free_memory() == 4000 * 1024


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0.0 kB"), (1_234_567, "1.2 MB"), (999_949_999, "999.9 MB"), (999_950_000, "1.0 GB"), (3.2e9, "3.2 GB"),
     (5e13, "50.0 TB"), (4e19, "40,000.0 PB")],
)  # fmt: skip
def test_sizes_are_shown_in_few_digits(size: float, text: str) -> None:
    assert limits.shown(size) == text
