"""What is said when a signal ends a training is a command that goes on with it, and the directory of many is no run."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

import pytest

from ffspec import document, repeating
from ffspec.api import run_document
from ffspec.cli import _exit_code
from ffspec.diagnostics import InterruptedRunError, SpecError
from ffspec.runner import run, several, sweeping
from ffspec.runner.several import Repetition
from ffspec.runner.sweeping import Trial
from ffspec.sweeps import resume_sweep, sweep_document

TEXT = """\
name: net
dataset: {csv: {path: rows.csv, target: c}, split: {validation: 0.3, test: 0.3}}
layers: [{linear: 4}, relu, linear]
loss: cross_entropy
optimizer: {sgd: {lr: 0.1}}
training: {epochs: 6, batch_size: 20}
sweep: {axes: {optimizer.sgd.lr: [0.1, 0.5]}, method: grid}
"""


class Hit:
    """Ends a run after an epoch, and a sweep after a point, as a signal does; a second one would end the process."""

    ended = False

    def on_epoch(self, *_: object) -> None:
        if not self.ended:
            self.ended = True
            signal.raise_signal(signal.SIGTERM)

    def on_trial(self, trial: Trial) -> None:
        self.on_epoch(trial)


class HitRun(Hit, run.Silent):
    """Ends a run."""


class HitSeveral(Hit, several.Silent):
    """Ends several trainings."""


class HitSweep(Hit, sweeping.Silent):
    """Ends a sweep."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["x,z,c", *(f"{row % 7},{row % 5},{row % 3}" for row in range(60))]
    Path("rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    Path("a.yaml").write_text(TEXT, encoding="utf-8")


def train(what: str, storage: str | None = None) -> None:
    """Train from the spec until a signal comes."""
    opened = document.load("a.yaml")
    if what == "run":
        run_document(opened, out="runs", observer=HitRun(), signals=True)
    elif what == "seeds":
        repeating.repeat_document(opened, None, Repetition(seeds=4), out="runs", listener=HitSeveral(), signals=True)
    else:
        sweep_document(opened, out="runs", watcher=HitSweep(), signals=True, storage=storage)


def stopped(what: str, storage: str | None = None) -> str:
    """Return what is said of what was stopped by a signal."""
    with pytest.raises(InterruptedRunError) as ended:
        train(what, storage)
    return str(ended.value)


@pytest.mark.parametrize("what", ["run", "seeds", "sweep"])
def test_what_is_said_goes_on(what: str) -> None:
    said = stopped(what)
    assert said == f"interrupted; go on with: ffspec resume {Path('runs/net/001')} --allow-outside"
    command = shlex.split(said.partition(": ffspec ")[2])
    assert _exit_code([*command, "-q"]) == 0


def test_a_shared_sweep_goes_on_by_its_own_command() -> None:
    pytest.importorskip("optuna")
    assert stopped("sweep", storage="net.journal") == "interrupted; go on with the same command"
    assert _exit_code(["sweep", "a.yaml", "-q", "--storage", "net.journal"]) == 0
    assert [path.name for path in Path("runs/net").iterdir()] == ["001"]


def test_a_sweep_refuses_a_table_where_it_stands() -> None:
    stopped("sweep")
    with pytest.raises(SpecError) as error:
        resume_sweep("runs/net/001")
    assert str(error.value) == (
        f"{Path('runs/net/001/spec.yaml')}:2:23: error[FF038]: a data file must lie in the folder of the run, "
        "found rows.csv\n"
        "    2 | dataset: {csv: {path: rows.csv, target: c}, split: {validation: 0.3, test: 0.3}}\n"
        "      |                       ^^^^^^^^ allow it: --allow-outside, or allow_outside=True in Python\n"
        "1 error"
    )


def test_of_many_runs_only_one_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["run", "a.yaml", "-q", "--seeds", "4"]) == 0
    assert _exit_code(["sweep", "a.yaml", "-q"]) == 0
    capsys.readouterr()
    many, swept = Path("runs/net/001"), Path("runs/net/002")
    assert _exit_code(["diff", str(many), str(swept)]) == 4
    assert capsys.readouterr().err == (
        f"error: {many} is of several trainings: compare a run of it, such as {many / 'seed-0'}\n"
    )
    assert _exit_code(["diff", str(many / "seed-0"), str(swept)]) == 4
    assert capsys.readouterr().err == (
        f"error: {swept} is of a sweep: compare a run of it, such as {swept / 'best' / '001'}\n"
    )
    stopped("seeds")
    assert _exit_code(["diff", "runs/net/003", str(many / "seed-0")]) == 4
    assert capsys.readouterr().err == (
        f"error: {Path('runs/net/003')} is of several trainings: none of its runs is finished\n"
    )
