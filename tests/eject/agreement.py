"""Compares ejected scripts with the runs of their specs: every printed loss and measure, and the weights' bytes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import ffspec
from ffspec.export import eject
from ffspec.runner.loop import Row
from ffspec.runner.refit import refit

CHILD = Path(__file__).with_name("child.py")
PAIR = re.compile(r"^(\S+) (\S+)$")


@dataclass(frozen=True, slots=True)
class Case:
    """A spec, its folder, and what the run of it came to."""

    folder: Path
    text: str
    result: Any
    weights: bytes
    again: list[Row]
    """The epochs of the second training, where there is one."""


def make(
    folder: Path, source: str | Path, *, allow: Iterable[str] = (), overrides: Sequence[str] = (), trial: bool = False
) -> Case:
    """Run a spec, and write its script into a folder.

    Without `trial` the network is not tried before training: that takes most of a short run, and changes no bit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spec = ffspec.load(source, allow=tuple(allow), overrides=list(overrides))
    text = eject(spec, file=folder / "train.py", name="the spec")
    (folder / "train.py").write_text(text, encoding="utf-8")
    again: list[Row] = []

    def refitted(setup: Any, epochs: int, temperature: float | None, keeper: Any, observe: Any) -> Any:
        del observe
        return refit(setup, epochs, temperature, keeper, again.append)

    unheard = nullcontext() if trial else patch("ffspec.runner.run.affordable", return_value=0)
    with unheard, patch("ffspec.runner.run.refit", refitted):
        result = ffspec.run(spec, out=folder / "runs", allow=tuple(allow))
    assert result.directory is not None
    return Case(folder, text, result, (result.directory / "model.safetensors").read_bytes(), again)


def run_together(cases: Iterable[Case]) -> None:
    """Run the scripts of cases in one process without ffspec."""
    _start([str(CHILD), *(str(case.folder) for case in cases)])


def run_alone(case: Case) -> None:
    """Run one script as its user does, but in a process that does not see this project."""
    printed = _start([str(case.folder / "train.py")], cwd=case.folder)
    (case.folder / "printed.txt").write_text(printed, encoding="utf-8")


def _start(arguments: list[str], cwd: Path | None = None) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    child = subprocess.run(
        [sys.executable, "-I", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stdout + child.stderr
    return child.stdout


def disagreements(case: Case) -> list[str]:
    """Return how a script that has run differs from the run of its spec: nothing, if to no bit."""
    failed = case.folder / "failed.txt"
    if failed.exists():
        text = failed.read_text(encoding="utf-8")
        # What the spec expects and did not get is an assertion in the script, behind all else.
        if case.result.ok or not text.endswith("AssertionError\n"):
            return [text]
    epochs, checks = _read((case.folder / "printed.txt").read_text(encoding="utf-8"))
    expected = [
        {"epoch": row["epoch"], "loss": row["loss"]}
        | {f"{name} loss": row[f"{name}.loss"] for name in case.result.data.splits if f"{name}.loss" in row}
        for row in [*case.result.history, *case.again]
    ]
    found = []
    if epochs != expected:
        first = next((pair for pair in zip(epochs, expected, strict=False) if pair[0] != pair[1]), (epochs, expected))
        found.append(f"the losses differ: {first[0]} in place of {first[1]}")
    for when, measures in (("before", case.result.before), ("after", case.result.after)):
        if checks.get(when) != measures:
            found.append(f"{when}: {checks.get(when)} in place of {measures}")
    if (case.folder / "model.safetensors").read_bytes() != case.weights:
        found.append("the weights differ")
    return found


def _read(printed: str) -> tuple[list[dict[str, float]], dict[str, dict[str, Mapping[str, float]]]]:
    """Return what a script printed: the losses of each epoch, and the measures of each split before and after."""
    epochs: list[dict[str, float]] = []
    checks: dict[str, dict[str, Mapping[str, float]]] = {}
    for line in printed.splitlines():
        parts = line.split("  ")
        pairs = (part.rpartition(" ") for part in parts)
        numbers = {name: float(value) for name, _, value in pairs if name}
        if line.removeprefix("again  ").startswith("epoch "):
            epochs.append({**numbers, "epoch": int(numbers["epoch"])})
        elif parts[0] in {"before", "after", "again"}:  # again: of the second training
            checks.setdefault(parts[0].replace("again", "after"), {})[parts[1]] = numbers
    return epochs, checks
