"""A sweep: its points are ordinary runs, the best is what it says, and it can be stopped anywhere."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ffspec
from ffspec import document
from ffspec.diagnostics import InterruptedRunError, SpecError, StorageError
from ffspec.runner.sweeping import Silent, Sweeping, Trial, training
from ffspec.runner.sweeping.log import LOG, Log
from ffspec.runner.sweeping.proposing import Proposed
from ffspec.runner.sweeping.trials import best_of
from ffspec.sweeps import resume_sweep

TEXT = """\
name: small
dataset: {moons: {n_samples: {train: 40, validation: 40, test: 40}, noise: 0.2}}
layers: [{linear: 4}, relu, linear]
loss: cross_entropy
optimizer: {sgd: {lr: 0.01}}
training: {epochs: 4, batch_size: 20}
sweep:
  axes:
    optimizer.sgd.lr: {log_uniform: [0.001, 1]}
    layers.0.linear.out_features: [4, 6]
  trials: 12
"""
GRID = TEXT.replace("{log_uniform: [0.001, 1]}", "[0.1, 0.3, 0.6]").replace("trials: 12", "method: grid")


def of(method: str) -> str:
    return GRID if method == "grid" else f"{TEXT}  method: {method}\n"


class Stop(Exception):
    """Nothing is caught, and nothing is written."""


class Stopping(Silent):
    """Stops a sweep after so many points, as abruptly as a process can do that to itself."""

    def __init__(self, after: int) -> None:
        self.left = after

    def on_trial(self, trial: Trial) -> None:
        del trial
        self.left -= 1
        if not self.left:
            raise Stop


def untimed(trials: tuple[Trial, ...]) -> list[Trial]:
    return [replace(trial, at=0.0) for trial in trials]


def bits(found: Sweeping) -> tuple[bytes, bytes]:
    assert found.directory is not None
    assert found.result.directory is not None
    return (found.directory / "best.yaml").read_bytes(), (found.result.directory / "model.safetensors").read_bytes()


def test_points_are_ordinary_runs() -> None:
    found = ffspec.sweep(TEXT)
    assert [trial.number for trial in found.trials] == [*range(12)]
    assert found.trials[0].point == {}
    assert all(list(trial.measures) == ["loss"] for trial in found.trials), "nothing else decides"
    for trial in found.trials[:4]:
        alone = ffspec.run(found.space.spec(trial.point))
        assert trial.value == pytest.approx(alone.after["validation"]["loss"], rel=1e-5)
        assert trial.epochs == len(alone.history)
    assert found.best.value == min(trial.value for trial in found.trials if trial.value is not None)


def test_the_best_is_a_plain_spec_that_runs_to_the_same_bits(tmp_path: Path) -> None:
    found = ffspec.sweep(TEXT, out=tmp_path)
    assert found.directory == tmp_path / "small" / "001"
    assert found.result.directory == found.directory / "best" / "001"
    path = found.directory / "best.yaml"
    assert path.read_text(encoding="utf-8").splitlines()[0] == (
        f"# Of 12 points the best validation.loss: {found.best.value:.5g}."
    )
    again = ffspec.run(path, out=tmp_path / "again")
    assert again.spec == found.result.spec == found.best_spec
    assert again.spec.sweep is None
    assert again.directory is not None
    assert (again.directory / "model.safetensors").read_bytes() == bits(found)[1]
    assert set(found.result.intervals) == {"loss", "accuracy"}
    summary = json.loads((found.directory / "sweep.json").read_text(encoding="utf-8"))
    assert summary["after"] == found.result.after
    assert summary["best"]["point"] == found.best.point
    assert "sweep" not in (found.directory / "resolved.yaml").read_text(encoding="utf-8")
    assert (found.directory / "spec.yaml").read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize("method", ["grid", "random", "tpe", "hyperband"])
def test_a_sweep_that_is_stopped_ends_in_the_same_best(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Proposed, "close", lambda _: None)  # SQLite takes longer than all the rest
    whole = ffspec.sweep(of(method), out=tmp_path / "whole")
    assert len(whole.trials) == (7 if method == "grid" else 12)
    for after in (1, 6):
        with pytest.raises(Stop):
            ffspec.sweep(of(method), out=tmp_path / str(after), watcher=Stopping(after))
        found = ffspec.sweep(of(method), out=tmp_path / str(after))
        assert found.directory == tmp_path / str(after) / "small" / "001"
        assert untimed(found.trials) == untimed(whole.trials)
        assert bits(found) == bits(whole)
    if method == "hyperband":
        pruned = [trial for trial in whole.trials if trial.pruned]
        assert pruned
        assert all(trial.epochs < 4 and trial.value is None and trial.error is None for trial in pruned)


def test_optunas_own_tools_may_look_at_a_sweep(tmp_path: Path) -> None:
    import optuna

    found = ffspec.sweep(of("tpe"), overrides=["sweep.trials=4"], out=tmp_path)
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{found.directory}/study.db")
    assert [trial.value for trial in study.trials] == pytest.approx([trial.value for trial in found.trials], rel=1e-4)
    assert study.trials[0].params == {"optimizer.sgd.lr": 0.01, "layers.0.linear.out_features": 0}
    more = ffspec.sweep(of("tpe"), overrides=["sweep.trials=6"], out=tmp_path)
    assert more.directory == found.directory
    assert len(optuna.load_study(study_name="sweep", storage=f"sqlite:///{found.directory}/study.db").trials) == 6


def test_a_sweep_is_resumed_by_its_directory(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TEXT.replace("name: small\n", ""), encoding="utf-8")
    overrides = ["training.epochs=3", "sweep.trials=5"]
    with pytest.raises(Stop):
        ffspec.sweep(tmp_path / "a.yaml", overrides=overrides, seed=3, out=tmp_path, watcher=Stopping(2))
    (tmp_path / "a.yaml").unlink()  # the directory has all that is needed
    found = resume_sweep(tmp_path / "a" / "001")
    wanted = ffspec.sweep(TEXT, overrides=overrides, seed=3)
    assert untimed(found.trials) == untimed(wanted.trials)
    assert found.result.spec.training.epochs == 3
    assert found.spec.seed == 3


def test_a_finished_sweep_is_left_alone_unless_there_is_more_to_try(tmp_path: Path) -> None:
    first = ffspec.sweep(TEXT, overrides=["sweep.trials=4"], out=tmp_path)
    more = ffspec.sweep(TEXT, overrides=["sweep.trials=6"], out=tmp_path)
    assert (more.directory, len(more.trials)) == (first.directory, 6)
    assert more.trials[:4] == first.trials
    again = ffspec.sweep(TEXT, overrides=["sweep.trials=6"], out=tmp_path)
    assert again.directory == tmp_path / "small" / "002"
    other = ffspec.sweep(TEXT, overrides=["sweep.trials=4", "sweep.seed=1"], out=tmp_path)
    assert other.directory == tmp_path / "small" / "003"
    with pytest.raises(Stop):
        ffspec.sweep(TEXT, overrides=["sweep.trials=9"], out=tmp_path, watcher=Stopping(1))
    anew = ffspec.sweep(TEXT, overrides=["sweep.trials=4"], out=tmp_path, anew=True)
    assert anew.directory == tmp_path / "small" / "004"


def test_a_sweep_that_has_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        ffspec.sweep(TEXT, out=tmp_path, watcher=Stopping(1))
    spec = tmp_path / "small" / "001" / "spec.yaml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("0.2}", "0.3}"), encoding="utf-8")
    with pytest.raises(StorageError) as failure:
        resume_sweep(tmp_path / "small" / "001")
    assert str(failure.value) == (
        f"{tmp_path / 'small' / '001'} cannot be gone on with: its spec, its data or the version of ffspec is not what "
        "it was; begin anew with: ffspec sweep"
    )


def test_a_line_that_was_half_written_is_cut_off(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.begin({"identity": "x"})
    one = Trial(number=0, point={}, value=0.0, measures={"loss": 0.0}, epochs=0, at=0.0)
    other = replace(
        one, number=3, point={"layers": ("relu", {"linear": 2})}, value=None, error="no", rungs={1: 1.0, 3: 2.0}
    )
    log.add(one)
    log.ask({3: other.point})
    log.add(other)
    log.close()
    whole = (tmp_path / LOG).read_bytes()
    for cut in range(len(whole) - len(whole.splitlines(keepends=True)[-1]), len(whole) + 1):
        (tmp_path / LOG).write_bytes(whole[:cut])
        read = Log(tmp_path)
        assert read.header == {"identity": "x"}
        assert read.asked == {3: other.point}
        assert read.trials == ({0: one, 3: other} if cut == len(whole) else {0: one})
        assert (tmp_path / LOG).read_bytes() == whole[: whole[:cut].rfind(b"\n") + 1]
    (tmp_path / LOG).write_bytes(b"nonsense\n")
    with pytest.raises(StorageError, match="is damaged"):
        Log(tmp_path)


def test_points_that_fail_are_told_and_passed_over() -> None:
    text = TEXT.replace("{log_uniform: [0.001, 1]}", "[0.1, 1.0e+12]").replace("trials: 12", "method: grid")
    found = ffspec.sweep(text)
    failed = [trial.point["optimizer.sgd.lr"] for trial in found.trials if trial.error is not None]
    assert failed == [1e12, 1e12]
    assert found.trials[3].error == "the training loss is nan in epoch 2, with learning rate 1e+12"
    assert found.trials[3].value is None
    assert found.best.value is not None


def test_time_may_end_a_sweep() -> None:
    found = ffspec.sweep(TEXT.replace("trials: 12", "seconds: 1.0e-6"))
    assert [trial.number for trial in found.trials] == [0]
    assert found.best.number == 0
    assert found.margin is None


def made(number: int, value: float | None, **point: Any) -> Trial:
    return Trial(number=number, point=point, value=value, measures={}, epochs=1, at=0.0)


def test_points_that_differ_in_the_seed_alone_are_one_setting() -> None:
    trials = [
        made(0, 0.5),
        made(1, 0.1, lr=1.0, seed=0),  # lucky
        made(2, 0.9, lr=1.0, seed=1),
        made(3, 0.3, lr=2.0, seed=0),
        made(4, 0.2, lr=2.0, seed=1),
        made(5, 0.0, lr=3.0, seed=0),
        made(6, None, lr=3.0, seed=1),  # diverged
    ]
    best = best_of(trials, "validation.loss")
    assert best is not None
    assert best.number == 4
    # Two settings with the same mean: of them the best seed.
    assert best_of(trials, "validation.accuracy") == trials[2]
    assert best_of(trials[:2], "validation.loss") == trials[1]
    assert best_of([made(0, None)], "validation.loss") is None


def test_a_run_directory_from_a_stranger_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "rows.csv").write_text("a,y\n" + "1,0\n2,1\n" * 20, encoding="utf-8")
    table = TEXT.replace("{moons: {n_samples: {train: 40, validation: 40, test: 40}, noise: 0.2}}", "TABLE")
    table = table.replace("TABLE", "{csv: {path: rows.csv, target: y}, split: {validation: 0.3, test: 0.3}}")
    (tmp_path / "rows" / "a.yaml").write_text(table, encoding="utf-8")
    with pytest.raises(Stop):
        ffspec.sweep(tmp_path / "rows" / "a.yaml", out=tmp_path / "runs", watcher=Stopping(2))
    run = tmp_path / "runs" / "small" / "001"
    with pytest.raises(SpecError, match=r"a data file must lie in the folder of the run, found rows\.csv"):
        resume_sweep(run)
    whole_sweep = ffspec.sweep(tmp_path / "rows" / "a.yaml", out=tmp_path / "runs")
    assert (whole_sweep.directory, len(whole_sweep.trials)) == (run, 12)
    again = ffspec.run(run / "best.yaml", allow_outside=True)
    assert again.after == whole_sweep.result.after
    assert len(resume_sweep(run, allow_outside=True).trials) == 12
    for name in ("study.db", "sweep.jsonl", "best"):
        kept = run / f"{name}.kept"
        if (run / name).exists():
            (run / name).rename(kept)
        (run / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StorageError, match="must not be a link"):
            resume_sweep(run, allow_outside=True)
        (run / name).unlink()
        if kept.exists():
            kept.rename(run / name)
    whole = (run / LOG).read_bytes()
    for line in (b'{"trial": {"number": "0"}}', b'{"trial": {"value": "x"}}', b"[" * 100_000, b'{"asked": 3}', b"3"):
        (run / LOG).write_bytes(whole + line + b"\n")
        with pytest.raises(StorageError, match="is damaged"):
            resume_sweep(run, allow_outside=True)


def test_arrays_may_take_the_place_of_the_rows(tmp_path: Path) -> None:
    import numpy as np

    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(80, 3)), draw.integers(2, size=80)
    data = {"train": (x[:40], y[:40]), "validation": (x[40:], y[40:])}
    text = TEXT.replace("{moons: {n_samples: {train: 40, validation: 40, test: 40}, noise: 0.2}}", "arrays")
    with pytest.raises(Stop):
        ffspec.sweep(text, data, out=tmp_path, watcher=Stopping(1))
    with pytest.raises(StorageError, match=r"call ffspec\.sweep with them"):
        resume_sweep(tmp_path / "small" / "001")
    found = ffspec.sweep(text, data, out=tmp_path)
    assert found.directory == tmp_path / "small" / "001"
    with pytest.raises(SpecError, match=r"'validation\.loss' needs a validation split, and the dataset has none"):
        ffspec.sweep(text, {"train": data["train"]})


def test_rows_that_differ_from_point_to_point_are_not_all_held(monkeypatch: pytest.MonkeyPatch) -> None:
    text = TEXT.replace("layers.0.linear.out_features: [4, 6]", "seed: {int: [0, 99]}")
    whole = ffspec.sweep(text)
    monkeypatch.setattr(training, "HELD", 3 * 120 * (2 * 4 + 8))
    held: list[int] = []
    let_go = training.Rows.let_go

    def noted(rows: training.Rows) -> None:
        held.append(len(rows._same))
        let_go(rows)

    monkeypatch.setattr(training.Rows, "let_go", noted)
    found = ffspec.sweep(text)
    assert held == [5, 5, 5], "of twelve points, and of the seeds the best is compared with"
    values = [(one.value, other.value) for one, other in zip(found.trials, whole.trials, strict=True)]
    assert all(one == pytest.approx(other, rel=1e-5) for one, other in values)
    assert found.best.number == whole.best.number


def test_without_optuna_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SpecError) as failure:
        ffspec.sweep(of("tpe"))
    (found,) = failure.value.diagnostics
    assert (found.code, found.message) == ("FF019", "method: tpe needs optuna, which is not installed")
    assert found.hint == "install it: pip install 'ffspec[sweep]'; or write method: random"
    assert len(ffspec.sweep(TEXT, overrides=["sweep.trials=2"]).trials) == 2


def test_a_signal_ends_a_sweep_with_the_way_to_go_on(tmp_path: Path) -> None:
    import os
    import signal

    from ffspec.sweeps import sweep_document

    class Hit(Silent):
        def on_trial(self, trial: Trial) -> None:
            del trial
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedRunError) as ended:
        sweep_document(document.parse(TEXT), out=tmp_path, signals=True, watcher=Hit())
    assert ended.value.exit_code == 143
    assert str(ended.value) == f"interrupted; go on with: ffspec resume {tmp_path / 'small' / '001'}"
    assert len(resume_sweep(tmp_path / "small" / "001").trials) == 12
