"""The run directory: whole files, a number to every run, and an error where the disk gives one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ffspec import rundir
from ffspec.diagnostics import StorageError
from ffspec.rundir import RunDirectory, create

ROOT = Path(__file__).parent.parent


def files(directory: RunDirectory) -> list[str]:
    """Return the names in a run directory, but for its lock."""
    return sorted(entry.name for entry in directory.path.iterdir() if entry.name != rundir.LOCK)


def test_numbers_follow_each_other(tmp_path: Path) -> None:
    first = create(tmp_path / "not yet there", "net")
    assert first.path == tmp_path / "not yet there" / "net" / "001"
    (first.path.parent / "notes").mkdir()
    (first.path.parent / "041").touch()
    assert create(tmp_path / "not yet there", "net").path.name == "042"
    (first.path.parent / "999").mkdir()
    assert create(tmp_path / "not yet there", "net").path.name == "1000"
    assert create(tmp_path / "not yet there", "other").path.name == "001"


CHILD = """
import sys
from pathlib import Path
from ffspec.rundir import create
sys.stdin.readline()
for _ in range(100):
    print(create(Path(sys.argv[1]), "net").path.name)
"""


def test_two_processes_never_share_a_directory(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    made = [child.communicate(timeout=60)[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sorted(made[0] + made[1]) == [f"{number:03}" for number in range(1, 201)]


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    directory = create(tmp_path, "net")
    directory.write("a.txt", "old, ä\n")
    assert (directory.path / "a.txt").read_bytes() == "old, ä\n".encode()
    directory.write("a.txt", b"new\r\n")
    assert (directory.path / "a.txt").read_bytes() == b"new\r\n"
    assert files(directory) == ["a.txt"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = create(tmp_path, "net")
    directory.write("a.txt", "old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError) as caught:
        directory.write("a.txt", "new")
    assert str(caught.value) == f"cannot write {directory.path / 'a.txt'}: the disk is full"
    assert caught.value.exit_code == 4
    assert (directory.path / "a.txt").read_text() == "old"
    assert files(directory) == ["a.txt"]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = create(tmp_path, "net")
    seen: list[tuple[bool, bool]] = []
    flush = os.fsync

    def watch(descriptor: int) -> None:
        flush(descriptor)
        seen.append(((directory.path / "a.txt").exists(), Path(f"/proc/self/fd/{descriptor}").resolve().is_dir()))

    if Path("/proc/self/fd").exists():
        monkeypatch.setattr(os, "fsync", watch)
        directory.write("a.txt", "text")
        assert seen == [(False, False), (True, True)]


def test_a_place_that_is_gone(tmp_path: Path) -> None:
    missing = RunDirectory(tmp_path / "gone")
    with pytest.raises(StorageError) as caught:
        missing.write("a.txt", "text")
    assert str(caught.value) == f"cannot write {tmp_path / 'gone' / 'a.txt'}: no such file or directory"
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="not a directory"):
        RunDirectory(tmp_path / "file").write("a.txt", "text")


def test_a_place_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as caught:
        create(tmp_path / "file", "net")
    assert str(caught.value) == f"cannot make a run directory in {tmp_path / 'file' / 'net'}: not a directory"
    with pytest.raises(StorageError, match=f"cannot make a run directory in {tmp_path / 'file'}: file exists"):
        create(tmp_path, "file")


def test_a_place_that_may_not_be_written(tmp_path: Path) -> None:
    root = tmp_path / "locked"
    root.mkdir(mode=0o500)
    if os.access(root, os.W_OK):
        # The administrator may write anywhere but in what the kernel makes up.
        root = Path("/proc/self")
    if not root.exists():
        pytest.skip("this user may write everywhere")
    with pytest.raises(StorageError, match=r"cannot make a run directory in .*net: "):
        create(root, "net")
    with pytest.raises(StorageError, match=r"cannot write .*a\.txt: "):
        RunDirectory(root).write("a.txt", "text")


def test_no_number_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rundir, "TRIES", 0)
    with pytest.raises(StorageError) as caught:
        create(tmp_path, "net")
    assert str(caught.value) == f"cannot make a run directory in {tmp_path / 'net'}: 0 are taken"


def test_json(tmp_path: Path) -> None:
    directory = create(tmp_path, "net")
    directory.write_json("a.json", {"name": "ä", "values": [1, 0.1]})
    text = (directory.path / "a.json").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert "ä" in text
    assert json.loads(text) == {"name": "ä", "values": [1, 0.1]}
    directory.write_lines("a.jsonl", [{"epoch": 1, "loss": 0.1}, {"epoch": 2, "loss": 5e-324}])
    assert (directory.path / "a.jsonl").read_text() == '{"epoch": 1, "loss": 0.1}\n{"epoch": 2, "loss": 5e-324}\n'


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_json_has_no_number_that_is_not_finite(number: float, tmp_path: Path) -> None:
    directory = create(tmp_path, "net")
    with pytest.raises(ValueError, match="JSON"):
        directory.write_json("a.json", {"loss": number})
    with pytest.raises(ValueError, match="JSON"):
        directory.write_lines("a.jsonl", [{"loss": number}])
    assert files(directory) == []


def test_a_directory_of_files_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = create(tmp_path, "net")
    directory.put("seed-1", {"a.txt": b"one", "b.bin": b"\0"})
    directory.flush()
    assert RunDirectory(directory.path / "seed-1").damaged() == []
    assert sorted(entry.name for entry in (directory.path / "seed-1").iterdir()) == ["a.txt", "b.bin", rundir.MANIFEST]

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError) as caught:
        directory.put("seed-2", {"a.txt": b"one"})
    assert str(caught.value) == f"cannot make {directory.path / 'seed-2'}: the disk is full"
    assert files(directory) == ["seed-1"]
