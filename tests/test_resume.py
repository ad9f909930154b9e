"""Stopping a run at any moment and going on: the same bits, or a refusal that says why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import ffspec
from ffspec import rundir
from ffspec.cli import _exit_code
from ffspec.diagnostics import FfspecError, StorageError
from ffspec.runner.result import Result
from tests.corpus import chance
from tests.interrupting import Crash, crash_at

SPEC = """\
name: net
seed: 3
dataset: {digits: {}, split: {validation: 0.2, test: 0.2}, prepare: standardize}
layers:
  - linear: 32
  - batch_norm
  - relu
  - dropout: 0.2
  - linear
loss: cross_entropy
optimizer: {adamw: 0.003}
scheduler: {warmup: {total_iters: 20, interval: step, then: {cosine_annealing: {interval: step}}}}
training: {epochs: 4, batch_size: 64, early_stopping: {patience: 3}, checkpoint: {steps: 7}}
"""
STEPS = 17 * 4
"""The steps it takes in all."""

KINDS = {
    "sgd": ("{sgd: {lr: 0.05, momentum: 0.9}}", "{step: 2}"),
    "adam": ("{adam: {groups: [{layers: batch_norm, lr: 6}, {parameters: bias, lr: 0.1}]}}", "{one_cycle: 0.01}"),
    "lbfgs": ("{lbfgs: {max_iter: 3}}", "constant"),
    "adafactor": ("adafactor", "{exponential: 0.9}"),
    "muon": ("muon", "{one_cycle: 0.01}"),
    "rprop": ("rprop", "reduce_on_plateau"),
    "asgd": ("asgd", "polynomial"),
    "nadam": ("nadam", "{multi_step: [1, 2]}"),
    "adagrad": ("adagrad", "{cosine_annealing_warm_restarts: 2}"),
}


def bits(directory: Path) -> tuple[bytes, str, Any]:
    """Return what a run leaves: weights, history and checks."""
    checks = json.loads((directory / rundir.CHECKS).read_text())
    return (directory / rundir.MODEL).read_bytes(), (directory / rundir.HISTORY).read_text(), checks


def stopped(text: str, out: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run a spec, and crash after a step; return the run directory."""
    with monkeypatch.context() as patch:
        crash_at(step, patch)
        with pytest.raises(Crash):
            ffspec.run(text, out=out)
    return max(path for path in out.glob("*/*") if path.name.isdecimal())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return the run that was never stopped."""
    return ffspec.run(SPEC, out=tmp_path_factory.mktemp("whole"))


def place(result: Result) -> Path:
    assert result.directory is not None
    return result.directory


@pytest.mark.parametrize("step", [1, 6, 7, 8, 17, 18, 35, 40, STEPS - 1, STEPS])
def test_a_crash_at_any_step_costs_nothing(
    step: int, whole: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = stopped(SPEC, tmp_path, step, monkeypatch)
    resumed = ffspec.resume(directory)
    assert bits(directory) == bits(place(whole))
    assert resumed.before == whole.before
    assert rundir.RunDirectory(directory).damaged() == []


@pytest.mark.parametrize("name", KINDS)
def test_every_optimizer_and_schedule_goes_on(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, scheduler = KINDS[name]
    lines = SPEC.replace("{adamw: 0.003}", optimizer).splitlines()
    lines = [f"scheduler: {scheduler}" if line.startswith("scheduler:") else line for line in lines]
    text = "\n".join(lines)
    whole = ffspec.run(text, out=tmp_path / "whole")
    directory = stopped(text, tmp_path / "stopped", 31, monkeypatch)
    ffspec.resume(directory)
    assert bits(directory) == bits(place(whole))


def test_changing_settings_and_an_average_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changing = "training: {ema: 0.9, schedules: {weight_decay: cosine, dropout: flat_cos}, "
    text = SPEC.replace("training: {", changing)
    whole = ffspec.run(text, out=tmp_path / "whole")
    for step in (1, 31, STEPS):
        directory = stopped(text, tmp_path / str(step), step, monkeypatch)
        ffspec.resume(directory)
        assert bits(directory) == bits(place(whole))
    replayed = ffspec.run(place(whole) / rundir.RESOLVED, out=tmp_path / "replayed")
    assert bits(place(replayed)) == bits(place(whole))


@pytest.mark.parametrize("when", ["{epochs: 1}", "{seconds: 1e-9}", "none", "{epochs: 2, steps: 30}"])
def test_whenever_the_state_is_kept(when: str, whole: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = stopped(SPEC.replace("{steps: 7}", when), tmp_path, 40, monkeypatch)
    ffspec.resume(directory)
    assert bits(directory) == bits(place(whole))


def test_a_training_can_be_made_longer(tmp_path: Path) -> None:
    text = SPEC.replace("scheduler:", "# scheduler:")
    long = ffspec.run(text.replace("epochs: 4", "epochs: 6"), out=tmp_path / "long")
    short = ffspec.run(text, out=tmp_path / "short")
    ffspec.resume(place(short), epochs=6)
    assert bits(place(short)) == bits(place(long))


def test_what_is_done_stays_as_it_is(whole: Result) -> None:
    before = bits(place(whole))
    ffspec.resume(place(whole))
    assert bits(place(whole)) == before


def test_of_checkpoints_the_last_two_are_kept_and_a_damaged_one_is_passed_over(
    whole: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = stopped(SPEC, tmp_path, 40, monkeypatch)
    newest, before = rundir.RunDirectory(directory).checkpoints()
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 4
    newest.write_bytes(content)
    assert _exit_code(["resume", str(directory)]) == 0
    assert f"checkpoint {newest.name} is damaged; the one before it is used" in capsys.readouterr().err
    assert before.name.startswith("000000000028-")
    assert bits(directory) == bits(place(whole))


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = stopped(SPEC, tmp_path, 10, monkeypatch)
    resolved = directory / rundir.RESOLVED
    resolved.write_text(resolved.read_text().replace("lr: 0.003", "lr: 0.004"))
    with pytest.raises(StorageError) as caught:
        ffspec.resume(directory)
    message = f"{directory}: resolved.yaml was damaged or changed since the run; --force goes on all the same"
    assert (str(caught.value), caught.value.exit_code) == (message, 4)
    rundir.RunDirectory(directory).seal((rundir.RESOLVED,))  # as if it had been so from the start
    with pytest.raises(StorageError) as caught:
        ffspec.resume(directory)
    assert str(caught.value) == (
        f"{directory} cannot go on to the same bits; --force goes on all the same:\n  -    lr: 0.003\n  +    lr: 0.004"
    )
    assert ffspec.resume(directory, force=True).history[-1]["epoch"] == 4


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = stopped(SPEC, tmp_path, 10, monkeypatch)
    monkeypatch.setattr("ffspec.runner.record.version", lambda name: "9.9" if name == "torch" else "1")
    with pytest.raises(StorageError, match=r"\n  packages\.torch: .* -> 9\.9"):
        ffspec.resume(directory)


def test_a_directory_has_one_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = stopped(SPEC, tmp_path, 10, monkeypatch)
    held = rundir.reopen(directory)
    with pytest.raises(StorageError, match=rf"{directory} is in use by process {os.getpid()} on ") as caught:
        ffspec.resume(directory)
    assert caught.value.exit_code == 4
    held.close()
    assert ffspec.resume(directory).ok


def test_what_is_no_run_directory(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        ffspec.resume(tmp_path)
    assert str(caught.value) == f"{tmp_path} is no run directory: it has no resolved.yaml"


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flush, wrote = os.fsync, []

    def fail(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").resolve().name
        if "-" in name and ".safetensors.tmp" in name:
            wrote.append(name)
            if len(wrote) == 3:
                raise OSError(28, "No space left on device")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError) as caught:
        ffspec.run(SPEC, out=tmp_path)
    monkeypatch.undo()
    (directory,) = tmp_path.glob("net/001")
    newest = rundir.RunDirectory(directory).checkpoints()[0]
    assert newest.name.startswith("000000000014-")
    assert str(caught.value).endswith(f"the disk is full; the last good checkpoint is {newest}")
    assert ffspec.resume(directory).ok


def test_what_is_not_finite_is_never_kept(tmp_path: Path) -> None:
    text = SPEC.replace("{adamw: 0.003}", "{sgd: 1e10}").replace("steps: 7", "steps: 1")
    with pytest.raises(FfspecError):
        ffspec.run(text, out=tmp_path, allow=["FF123"])
    (directory,) = tmp_path.glob("net/001")
    assert json.loads((directory / rundir.STATUS).read_text())["status"] == "diverged"
    assert not (directory / rundir.MODEL).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_the_state_and_says_how_to_go_on(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.replace("epochs: 4", "epochs: 100000").replace("steps: 7", "seconds: 100"), encoding="utf-8")
    command = (sys.executable, "-m", "ffspec", "run", str(path), "--out", str(tmp_path))
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if "epoch" in line:
            break
    child.send_signal(number)
    _, complaint = child.communicate(timeout=60)
    directory = tmp_path / "net" / "001"
    assert child.returncode == 128 + number
    assert complaint.splitlines()[-1] == f"interrupted; go on with: ffspec resume {directory}"
    assert json.loads((directory / rundir.STATUS).read_text())["status"] == "interrupted"
    assert len(rundir.RunDirectory(directory).checkpoints()) == 1


def test_killed_at_once_and_resumed(whole: Result, tmp_path: Path) -> None:
    """A real SIGKILL, at moments drawn at random; the full series is `python -m tests.bench.killing`."""
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.replace("steps: 7", "steps: 1"), encoding="utf-8")
    command = (sys.executable, "-m", "ffspec", "run", str(path), "--out", str(tmp_path), "--quiet")
    draw = chance(0)
    for number in range(1, 3):
        child = subprocess.Popen(command)
        directory = tmp_path / "net" / f"{number:03}"
        deadline = time.monotonic() + 60
        while not list(directory.glob("checkpoints/*.safetensors")) and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.3))
        child.send_signal(signal.SIGKILL)
        child.wait()
        ffspec.resume(directory)
        assert (directory / rundir.MODEL).read_bytes() == (place(whole) / rundir.MODEL).read_bytes()
        assert not list(directory.rglob(".*.tmp-*"))


def test_no_flipped_bit_goes_unnoticed(whole: Result) -> None:
    """Whatever the manifest covers; a changed bit in a checkpoint is looked at by its name."""
    directory = rundir.RunDirectory(place(whole))
    draw = chance(1)
    listed = [place(whole) / name for name in json.loads(directory.read(rundir.MANIFEST))["files"]]
    for path in [*listed, place(whole) / rundir.MANIFEST, *directory.checkpoints()]:
        content = path.read_bytes()
        for _ in range(5):
            flipped = bytearray(content)
            flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
            path.write_bytes(flipped)
            if path.parent.name == rundir.CHECKPOINTS:
                assert not rundir.is_whole(path, path.read_bytes())
            else:
                assert directory.damaged() != []
        path.write_bytes(content)
    assert directory.damaged() == []
