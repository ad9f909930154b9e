"""The law of the closed door: whatever a spec, a data file or a run directory says, a run does nothing but run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from secrets import randbelow

import pytest

COUNT = 60
"""Changed specs; half as many damaged files and run directories."""
PROVEN = [
    "connected", "imported", "read outside", "removed outside", "run", "started", "told the shell", "unpickled",
    "written outside",
]  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the traps need named pipes")
def test_nothing_a_stranger_makes_imports_runs_connects_or_opens_anything(tmp_path: Path) -> None:
    """The child says which case it was; with the same seed it is the same again."""
    seed = 0 if "CI" in os.environ else randbelow(2**32)
    command = [sys.executable, "-m", "tests.laws.closed", str(tmp_path), str(seed), str(COUNT)]
    child = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert child.returncode == 0, f"seed {seed}: {child.stderr[-5000:]}"
    said = json.loads(child.stdout)
    for what in ("found", "crashes"):
        assert not said[what], f"seed {seed}: {len(said[what])} {what}\n" + "\n".join(said[what][:5])
    assert said["proven"] == PROVEN, "the watch does not see everything"
    assert said["done"]["spec"] == COUNT
    assert {"open", "os.mkdir", "os.rename"} <= set(said["events"]), "nothing ran while it was watched"
    assert not (tmp_path / "specs" / "imported").exists()
