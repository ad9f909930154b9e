"""`ffspec sweep` as it is typed: what it prints, how it ends, and that killing it does no harm."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ffspec import document
from ffspec.api import points_of, sound
from ffspec.cli import _exit_code
from ffspec.cli.sweeping import Reporter, headings, of_best
from ffspec.points import Space
from ffspec.runner.sweeping import Trial

TEXT = """\
name: small
dataset: {moons: {n_samples: {train: 40, validation: 40, test: 40}, noise: 0.2}}
layers: [{linear: 4}, relu, linear]
loss: cross_entropy
optimizer: {sgd: {lr: 0.01}}
training: {epochs: 20, batch_size: 20}
checks: {test.accuracy: {min: 0.6}}
sweep:
  axes:
    optimizer.sgd.lr: [0.1, 0.5]
    layers.0.linear.out_features: [4, 8]
  method: grid
"""
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e-?\d+)?")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(TEXT, encoding="utf-8")


def bare(printed: str) -> list[str]:
    """Return lines with fractions left out, and runs of spaces as one."""
    return [" ".join(NUMBER.sub("#", line).split()) for line in printed.splitlines()]


def test_what_a_sweep_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["sweep", "a.yaml"]) == 0
    lines = bare(capsys.readouterr().out)
    assert lines[:4] == [
        "sweep: 5 points, grid: optimizer.sgd.lr, layers.0.linear.out_features",
        "1/5 validation.loss # point 0: the spec as it stands",
        "2/5 validation.loss # point 1: optimizer.sgd.lr=#, layers.0.linear.out_features=4",
        "3/5 validation.loss # point 3: optimizer.sgd.lr=#, layers.0.linear.out_features=4",
    ]
    best = "point 4: optimizer.sgd.lr=#, layers.0.linear.out_features=8"
    end = lines.index(f"the best is run once more, and tested: {best}")
    assert lines[end + 1 : end + 8] == [
        "point validation.loss epochs lr out_features",
        "4 # 20 # 8",
        "3 # 20 # 4",
        "2 # 20 # 8",
        "1 # 20 # 4",
        "0 # 20 as it stands as it stands",
        "validation.loss is better than that of the spec as it stands by #, 95 % over rows [#, #]",
    ]
    assert lines[end + 8].startswith("split loss before loss after 95 %")
    assert lines[-3:] == [
        "ok test.accuracy >= #: #",
        f"run directory: {Path('runs/small/001/best/001')}",
        f"the best spec: {Path('runs/small/001/best.yaml')}",
    ]


WITHIN = ("--set", "sweep.axes={training.batch_size: [10, 15, 30]}")


def test_a_best_within_noise_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["sweep", "a.yaml", *("--set", "optimizer.sgd.lr=0.5"), *WITHIN]) == 0
    said = bare(capsys.readouterr().out)
    warning = "warning: within noise of the spec as it stands: validation.loss is better by #, 95 % over rows [#, #]"
    assert warning in said


def test_another_seed_is_not_said_to_be_better(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["sweep", "a.yaml", "--set", "sweep.axes={seed: [3, 4, 5, 6]}", "--set", "checks={}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  the best is the spec as it stands, from another seed" in lines
    assert not any("within noise of the spec" in line for line in lines)


def test_the_json_of_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["sweep", "a.yaml", "--format", "json", "--set", "checks={test.loss: {max: 1.0e-9}}"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["trials"] == 5
    assert [point["number"] for point in found["points"]] == [0, 1, 2, 3, 4]
    assert found["best"]["point"] == {"optimizer.sgd.lr": 0.5, "layers.0.linear.out_features": 8}
    assert found["ok"] is False


def test_other_commands_say_that_there_is_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["show", "a.yaml"]) == 0
    assert bare(capsys.readouterr().out)[-1] == "sweep 5 points, grid: optimizer.sgd.lr, layers.0.linear.out_features"
    assert _exit_code(["run", "a.yaml"]) == 1
    said = capsys.readouterr().out.splitlines()[0]
    assert said == "the sweep is left out, and the spec trained as it stands; with it: ffspec sweep a.yaml"
    assert "sweep" not in Path("runs/small/001/resolved.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("overrides", "code", "message"),
    [
        (
            ["sweep=null"],
            2,
            (
                "a.yaml:1:1: error[FF019]: there must be a sweep to be made\n"
                "    1 | name: small\n"
                "      | ^^^^^^^^^^^ add, say, sweep: {axes: {seed: [0, 1, 2]}, method: grid}\n"
                "1 error\n"
            ),
        ),
        (
            ["sweep.axes={optimizer.sgd.lr: [1.0e+12]}", "optimizer.sgd.lr=1.0e+12"],
            3,
            (
                "error[FF306]: none of 2 points could be trained: "
                "the training loss is nan in epoch 2, with learning rate 1e+12\n"
            ),
        ),
    ],
)
def test_what_a_sweep_refuses(
    overrides: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [part for override in overrides for part in ("--set", override)]
    assert _exit_code(["sweep", "a.yaml", "-q", *given]) == code
    assert capsys.readouterr().err.endswith(message)


def test_resume_takes_a_sweep_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["sweep", "a.yaml", "-q"]) == 0
    assert _exit_code(["resume", "runs/small/001", "--epochs", "3"]) == 2
    assert "RUN is of a sweep: leave out --epochs and --force" in capsys.readouterr().err
    assert _exit_code(["resume", "runs/small/001"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1] == f"  going on in {Path('runs/small/001')}: 5 points are done"
    assert _exit_code(["resume", "runs/small/001", "-q"]) == 0
    assert capsys.readouterr().out == ""


def ended(path: Path) -> tuple[bytes, bytes]:
    return (path / "best.yaml").read_bytes(), (path / "best" / "001" / "model.safetensors").read_bytes()


def test_a_sweep_that_was_killed_ends_in_the_same_best() -> None:
    """Kills it by SIGKILL once some points are in the log, and again while the best is run.

    The full series, at random moments and of every method, is `python -m tests.bench.killing_sweeps`.
    """
    more = ["--set", "training.epochs=100"]
    assert _exit_code(["sweep", "a.yaml", "-q", "--out", "whole", *more]) == 0
    command = [sys.executable, "-m", "ffspec", "sweep", "a.yaml", "-q", *more]
    where = Path("runs/small/001")
    for wanted in (b'"number": 2', None):
        with subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}) as child:
            until = time.monotonic() + 60
            while time.monotonic() < until and child.poll() is None:
                log = where / "sweep.jsonl"
                reached = wanted in log.read_bytes() if wanted and log.is_file() else (where / "best.yaml").is_file()
                if reached:
                    break
                time.sleep(0.01)
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
    assert not (where / "sweep.json").exists()
    assert _exit_code(["resume", str(where), "-q"]) == 0
    assert ended(where) == ended(Path("whole/small/001"))
    assert not list(where.rglob(".*.tmp-*"))


LISTS = (
    "axes: {training.epochs: [1, 2], layers.0.linear.out_features: [4, 5], layers.2.linear.out_features: [2, 3], "
    "loss: [cross_entropy, {cross_entropy: {label_smoothing: 0.1}}], optimizer: [{sgd: 0.1}, {adam: 0.1}]}"
)


def space_of(text: str) -> Space:
    opened = document.parse(text)
    return points_of(opened, sound(opened))[0]


def test_an_axis_is_called_by_its_last_keys() -> None:
    text = TEXT.replace("layers: [{linear: 4}, relu, linear]", "layers: [{linear: 4}, relu, {linear: 2}]")
    space = space_of(text.replace(text[text.index("  axes:") : text.index("  method:")], f"  {LISTS}\n"))
    assert headings(space) == ["training.epochs", "0.linear.out_features", "2.linear.out_features", "loss", "optimizer"]
    assert headings(space_of(TEXT)) == ["lr", "out_features"]


def made(number: int, point: dict[str, Any], value: float) -> Trial:
    return Trial(number=number, point=point, value=value, measures={}, epochs=20, at=0.0)


def test_lists_are_told_apart_by_what_differs_and_lines_are_cut_to_the_terminal() -> None:
    axis = (
        "layers: [[{linear: 8}, relu, linear], [{linear: 16}, relu, linear], "
        "[{linear: 8}, relu, {linear: 4}, relu, linear], "
        "[{linear: 8}, relu, {linear: 64}, relu, {linear: 8}, relu, linear]]"
    )
    space = space_of(TEXT.replace(TEXT[TEXT.index("    optimizer.sgd") : TEXT.index("  method:")], f"    {axis}\n"))
    trials = [made(number, space.point(number), 1 - number / 10) for number in range(5)]
    assert of_best(trials, space) == (
        "  point  validation.loss  epochs                             layers\n"
        "  4                  0.6      20  3: [{linear: 8}, relu, {linear...\n"
        "  3                  0.7      20  2: [{linear: 8}, relu, {linear...\n"
        "  2                  0.8      20             1: [{linear: 16}, ...]\n"
        "  1                  0.9      20              0: [{linear: 8}, ...]\n"
        "  0                    1      20                       as it stands"
    )
    assert of_best(trials, space, 40).splitlines()[-2:] == [
        "  1                  0.9      20     ...",
        "  0                    1      20     ...",
    ]


def trial(number: int, value: float | None, *, error: str | None = None, pruned: bool = False) -> Trial:
    return Trial(number=number, point={}, value=value, measures={}, epochs=1, at=0.0, error=error, pruned=pruned)


def test_a_sweep_bounded_by_seconds_tells_of_each_tenth_of_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TEXT.replace("method: grid", "seconds: 100").replace("[0.1, 0.5]", "{log_uniform: [0.1, 0.5]}")
    clock = [0.0]
    monkeypatch.setattr("ffspec.cli.sweeping.time", SimpleNamespace(monotonic=lambda: clock[0]))
    reporter = Reporter()
    reporter.on_start(space_of(text), {}, None)
    for number in range(500):
        clock[0] += 0.125  # exact
        reporter.on_trial(trial(number, 1.0))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "sweep: 100 seconds, random: optimizer.sgd.lr, layers.0.linear.out_features"
    assert [line.split()[0] for line in lines[1:]] == ["1", "81", "161", "241", "321", "401", "481"]


def test_what_is_said_before_there_is_a_best(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter()
    reporter.on_start(space_of(TEXT), {}, None)
    reporter.on_trial(trial(1, None, error="it diverged"))
    reporter.on_trial(trial(2, None, pruned=True))
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  1/5  none could be trained yet",
        "  2/5  none was trained to its end yet",
    ]
