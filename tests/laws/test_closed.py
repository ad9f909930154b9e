"""The law of the closed door: whatever a spec, a data file or a run directory says, a run does nothing but run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from secrets import randbelow
from typing import Any

import pytest

COUNT = 60
"""Changed specs; half as many damaged files and run directories."""
PROVEN = [
    "connected", "imported", "read outside", "removed outside", "run", "started", "told the shell", "unpickled",
    "written outside",
]  # fmt: skip


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the child saw; with the same seed it sees the same again."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("the traps need named pipes")
    seed = 0 if "CI" in os.environ else randbelow(2**32)
    folder = tmp_path_factory.mktemp("closed")
    command = [sys.executable, "-m", "tests.laws.closed", str(folder), str(seed), str(COUNT)]
    child = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert child.returncode == 0, f"seed {seed}: {child.stderr[-5000:]}"
    assert not (folder / "specs" / "imported").exists()
    return {"seed": seed, **json.loads(child.stdout)}


def test_nothing_a_stranger_makes_imports_runs_connects_or_opens_anything(said: dict[str, Any]) -> None:
    assert faults(said, resumed=False) == []
    assert said["done"]["spec"] == COUNT
    assert {"open", "os.mkdir", "os.rename"} <= set(said["events"]), "nothing ran while it was watched"


def test_nor_does_a_run_directory_that_was_tampered_with(said: dict[str, Any]) -> None:
    assert faults(said, resumed=True) == []


def test_the_watch_sees_all_of_it(said: dict[str, Any]) -> None:
    assert said["proven"] == PROVEN


def faults(said: dict[str, Any], *, resumed: bool) -> list[str]:
    """Return what happened and should not have, the first of it, with the seed that brings it back."""
    found = [item for item in (*said["crashes"], *said["found"]) if item.startswith("resumed") is resumed]
    return [f"seed {said['seed']}, {item}" for item in found[:5]]
