"""Several trainings of one spec, stopped at any moment and gone on with: the same bits, or a refusal that says why."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ffspec
from ffspec import populations, repeating, rundir
from ffspec.cli import _exit_code
from ffspec.cli.several import Reporter
from ffspec.diagnostics import InterruptedRunError, StorageError
from ffspec.rundir import RunDirectory
from ffspec.runner.several import Repetition, Silent
from tests.interrupting import Crash, crash_at

TEXT = """\
name: net
seed: 3
dataset: {wine: {}, split: {validation: 0.2, test: 0.3}, prepare: standardize}
layers: [{linear: {out_features: 8, bias: false}}, batch_norm, relu, {dropout: 0.2}, linear]
loss: cross_entropy
optimizer: {adam: 0.02}
training: {epochs: 6, batch_size: 32, checkpoint: {steps: 5}}
"""
ALONE = TEXT.replace("adam: 0.02", "lbfgs: {max_iter: 2}").replace("batch_size: 32", "batch_size: all")
HOW = {
    "seeds": Repetition(seeds=8),
    "resplit": Repetition(seeds=8, resplit=True),
    "folds": Repetition(folds=9),
    "both": Repetition(seeds=3, folds=3),
}


@pytest.fixture(autouse=True)
def _chunks_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no more than four members of this size be one network."""
    monkeypatch.setattr(populations, "members_at_once", lambda *_: 4)


def train(text: str, how: Repetition, out: Path, listener: Any = None, *, signals: bool = False) -> Any:
    if how.seeds is None:
        opened = ffspec.api.open_document(text)
        return repeating.cross_validate_document(
            opened, folds=how.folds or 0, out=out, listener=listener, signals=signals
        )
    opened = ffspec.api.open_document(text)
    return repeating.repeat_document(opened, None, how, out=out, listener=listener, signals=signals)


def bits(directory: Path) -> dict[str, bytes]:
    """Return every file below a directory, but for what says who holds it."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != rundir.LOCK)
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def crash_before(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process crash when so many members are on disk."""
    put, done = RunDirectory.put, [0]

    def crashing(self: RunDirectory, name: str, files: Mapping[str, bytes]) -> None:
        if done[0] == count:
            (self.path / f".{name}.tmp-1-ab").mkdir()  # half made
            raise Crash
        done[0] += 1
        put(self, name, files)

    monkeypatch.setattr(RunDirectory, "put", crashing)


class Heard(Silent):
    """Remembers what it is told."""

    def __init__(self, stop: int | None = None) -> None:
        self.epochs: list[int] = []
        self.done: list[int] = []
        self.damaged: list[str] = []
        self._stop = stop

    def on_epoch(self, index: int, row: Any) -> None:
        del row
        self.epochs.append(index)
        if len(self.epochs) == self._stop:
            signal.raise_signal(signal.SIGTERM)

    def on_resume(self, done: int) -> None:
        self.done.append(done)

    def on_damage(self, name: str) -> None:
        self.damaged.append(name)


@pytest.mark.parametrize("name", HOW)
def test_a_crash_between_two_chunks_costs_no_more_than_a_chunk(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(TEXT, HOW[name], tmp_path / "whole")
    for count in (0, 4, 6):
        with monkeypatch.context() as patch:
            crash_before(count, patch)
            with pytest.raises(Crash):
                train(TEXT, HOW[name], tmp_path / str(count))
        directory = tmp_path / str(count) / "net" / "001"
        heard = Heard()
        resumed = repeating.resume_several(directory, listener=heard)
        assert heard.done == [count]
        assert bits(directory) == bits(whole.directory)
        assert resumed.after == whole.after
        if name == "seeds" and count == 4:
            assert {*heard.epochs} == {4, 5, 6, 7}, "the others are not trained again"


@pytest.mark.parametrize("how", ["seeds", "folds"])
def test_a_network_that_is_trained_alone_goes_on_within_its_training(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = Repetition(seeds=3) if how == "seeds" else Repetition(folds=3)
    whole = train(ALONE, several, tmp_path / "whole")
    with monkeypatch.context() as patch:
        crash_at(6, patch)  # the last step of the first member, one after a checkpoint
        with pytest.raises(Crash):
            train(ALONE, several, tmp_path / "first")
    with monkeypatch.context() as patch:
        crash_before(1, patch)
        with pytest.raises(Crash):
            train(ALONE, several, tmp_path / "second")
    for name, epochs in (("first", 2), ("second", 0)):
        directory = tmp_path / name / "net" / "001"
        assert [*(directory / rundir.CHECKPOINTS).iterdir()] != []
        heard = Heard()
        repeating.resume_several(directory, listener=heard)
        assert heard.epochs.count(0 if name == "first" else 1) == epochs
        assert bits(directory) == bits(whole.directory)


@pytest.mark.parametrize(("text", "stop"), [(TEXT, 30), (ALONE, 8)])
def test_a_signal_ends_it_and_says_how_to_go_on(text: str, stop: int, tmp_path: Path) -> None:
    whole = train(text, Repetition(seeds=8), tmp_path / "whole")
    with pytest.raises(InterruptedRunError) as error:
        train(text, Repetition(seeds=8), tmp_path / "stopped", Heard(stop), signals=True)
    directory = tmp_path / "stopped" / "net" / "001"
    message = f"interrupted; go on with: ffspec resume {directory}"
    assert (str(error.value), error.value.exit_code) == (message, 143)
    assert json.loads((directory / rundir.STATUS).read_text()) == {"status": "interrupted", "message": message}
    heard = Heard()
    repeating.resume_several(directory, listener=heard)
    assert len(heard.epochs) < 8 * 6
    assert bits(directory) == bits(whole.directory)


def test_a_bar_shows_how_far_the_trainings_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.stdout, "isatty", lambda: True)
        train(TEXT, Repetition(seeds=8), tmp_path, reporter)
        assert reporter._bar is None, "it is left as it stands"
        train(TEXT, Repetition(folds=2), tmp_path, reporter)
    told = capsys.readouterr().out
    assert "8/8 trained" in told
    assert "2/2 trained" in told


def test_what_is_damaged_is_trained_again_and_a_diverged_one_is_not(tmp_path: Path) -> None:
    text = TEXT.replace("wine", "diabetes").replace("cross_entropy", "mse").replace("adam: 0.02", "sgd: 0.0035")
    text = text.replace("batch_norm, relu, {dropout: 0.2}", "relu").replace("seed: 3", "seed: 0")
    text = text.replace("{epochs: 6, batch_size: 32, checkpoint: {steps: 5}}", "{epochs: 12}")
    whole = train(text, Repetition(seeds=12), tmp_path)
    assert 0 < len(whole.diverged) < 12
    directory = whole.directory
    before = bits(directory)
    sound = next(one for one in whole.members if one.error is None).member.spec.seed
    (directory / f"seed-{sound}" / rundir.MODEL).write_bytes(b"")
    heard = Heard()
    resumed: Any = repeating.resume_several(directory, listener=heard)
    assert (heard.damaged, heard.done) == ([f"seed-{sound}"], [11])
    assert [one.error is None for one in resumed.members] == [one.error is None for one in whole.members]
    assert bits(directory) == before


def test_what_cannot_be_gone_on_with_says_why(tmp_path: Path) -> None:
    directory = train(TEXT, Repetition(seeds=2), tmp_path / "out").directory
    environment = json.loads((directory / rundir.ENVIRONMENT).read_text())
    owned = RunDirectory(directory)
    owned.write_json(rundir.ENVIRONMENT, {**environment, "python": "2.7.0"})
    with pytest.raises(StorageError) as error:
        repeating.resume_several(directory)
    changed = f"{directory}: environment.json was damaged or changed since the run; --force goes on all the same"
    assert str(error.value) == changed
    owned.seal((rundir.SPEC, rundir.SEVERAL, rundir.ENVIRONMENT, rundir.RESOLVED))
    with pytest.raises(StorageError) as error:
        repeating.resume_several(directory)
    assert str(error.value).startswith(
        f"{directory} cannot go on to the same bits; --force goes on all the same:\n  python: 2.7.0 -> "
    )
    forced: Any = repeating.resume_several(directory, force=True)
    assert forced.seeds == (3, 4)
    shutil.move(directory / "seed-3", tmp_path / "elsewhere")
    (directory / "seed-3").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError) as error:
        repeating.resume_several(directory, force=True)
    assert str(error.value) == f"{directory / 'seed-3'} must not be a link: it would lead out of the run directory"
    for content in ("{}", "[", '{"seeds": null, "folds": null, "arrays": false}', '{"seeds": 0, "arrays": false}'):
        owned.write(rundir.SEVERAL, content)
        with pytest.raises(StorageError) as error:
            repeating.resume_several(directory, force=True)
        assert str(error.value) == f"{directory / 'several.json'} is damaged"


def test_arrays_are_not_kept(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3))
    found = ffspec.repeat(TEXT, (x, (x[:, 0] > 0).astype(int)), seeds=2, out=tmp_path)
    with pytest.raises(StorageError) as error:
        repeating.resume_several(found.directory or "")
    assert str(error.value) == f"{found.directory} was made of arrays, which are not kept: train again with them"


def test_a_table_is_found_again(tmp_path: Path) -> None:
    lines = ["x,z,c", *(f"{row % 7},{row % 5},{row % 3}" for row in range(60))]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = tmp_path / "net.yaml"
    path.write_text(TEXT.replace("wine: {}", "csv: {path: rows.csv, target: c}"), encoding="utf-8")
    found = ffspec.cross_validate(path, folds=2, out=tmp_path / "runs", seed=5, allow=["FF305"])
    resumed = repeating.resume_several(found.directory or "", allow_outside=True)
    assert resumed.after == found.after
    with pytest.raises(ffspec.SpecError) as error:
        repeating.resume_several(found.directory or "")
    assert "FF038" in str(error.value)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(TEXT, encoding="utf-8")
    with monkeypatch.context() as patch:
        crash_before(4, patch)
        assert _exit_code(["run", "--seeds", "8", "a.yaml"]) == 70
    capsys.readouterr()
    directory = Path("runs") / "net" / "001"
    assert _exit_code(["resume", str(directory), "--epochs", "9"]) == 2
    assert "RUN is of several trainings: leave out --epochs" in capsys.readouterr().err
    assert _exit_code(["resume", str(directory)]) == 0
    first = capsys.readouterr().out.splitlines()
    assert first[:3] == [
        "net: 147 parameters; 8 seeds; rows: 88 train, 36 validation, 54 test",
        "  4 at a time are trained as one network: more would not fit the cache",
        "  going on: 4 of 8 are trained",
    ]
    assert first[-1] == f"  run directory: {directory}"
    assert _exit_code(["resume", "-q", str(directory)]) == 0
    assert capsys.readouterr().out == ""
