"""Sweeps that processes share, and what is said of a storage that cannot be used: a line without passwords."""

from __future__ import annotations

import builtins
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ffspec
from ffspec import document
from ffspec.cli import _exit_code
from ffspec.cli.sweeping import summary
from ffspec.diagnostics import InterruptedRunError, SpecError, StorageError
from ffspec.points import Point, Space
from ffspec.runner.sweeping import Silent, Sweeping, Trial, sharing, studies
from ffspec.sweeps import resume_sweep, sweep_document
from tests.test_sweep import TEXT, Stop, Stopping, of, untimed

KNOWN = "write postgresql+psycopg://user@host/database, sqlite:///file.db, or the path of a journal"


@pytest.mark.parametrize(
    ("storage", "reason"),
    [
        ("sqlite:////absent/study.db", "there is no folder /absent for its file"),
        ("sqlite:////dev", "unable to open database file"),
        (
            "sqlite://study.db",
            (
                "the address of a file of SQLite has three slashes, and four where its path begins with one; "
                "write sqlite:///study.db"
            ),
        ),
        ("/absent/study.journal", "no such file or directory: /absent/study.journal"),
        ("nonsense://me:geheim@host/x", f"'nonsense' is no database that is known; {KNOWN}"),
        ("://x", f"'' is no database that is known; {KNOWN}"),
        ("postgresql+psycopg://me:ge@heim@host:x/y", f"its URL cannot be read; {KNOWN}"),
    ],
)
def test_a_storage_that_cannot_be_used_is_said_to_be(
    storage: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "PAUSE", 0)
    with pytest.raises(StorageError) as failure:
        ffspec.sweep(TEXT, storage=storage, out=tmp_path)
    assert str(failure.value) == f"cannot use the storage of the sweep: {reason}"
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert all(b"heim" not in content for content in written)


@pytest.mark.parametrize(
    ("storage", "module", "hint"),
    [
        (
            "postgresql+psycopg://me@host/x",
            "psycopg",
            "pip install 'ffspec[postgresql]', and write postgresql+psycopg://user@host/database",
        ),
        ("mysql://me@host/x", "MySQLdb", f"install it, or {KNOWN}"),
    ],
)
def test_a_driver_that_is_not_installed_is_named(
    storage: str, module: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name == module:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(StorageError) as failure:
        ffspec.sweep(TEXT, storage=storage)
    wanted = f"cannot use the storage of the sweep: it needs {module}, which is not installed; {hint}"
    assert str(failure.value) == wanted


def test_a_storage_that_fails_on_the_way_is_said_to_have(tmp_path: Path) -> None:
    class Failing(Silent):
        def on_trial(self, trial: Trial) -> None:
            del trial
            (tmp_path / "journal.log").unlink(missing_ok=True)
            (tmp_path / "journal.log").mkdir(exist_ok=True)

    with pytest.raises(StorageError) as failure:
        ffspec.sweep(TEXT, storage=str(tmp_path / "journal.log"), watcher=Failing())
    assert str(failure.value).startswith("cannot use the storage of the sweep: is a directory: ")


def test_a_password_stands_in_no_spec_and_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(f"{TEXT}  storage: postgresql://me:geheim@host/x\n", encoding="utf-8")
    for command in ("sweep", "run"):
        assert _exit_code([command, "a.yaml"]) == 2
    said = capsys.readouterr().err
    assert said == 2 * (
        "a.yaml:12:12: error[FF015]: storage must have no password, which would be copied with the spec: leave it to "
        "PGPASSWORD\n"
        "   12 |   storage: postgresql://me:******@host/x\n"
        "      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "1 error\n"
    )
    Path("a.yaml").write_text(TEXT, encoding="utf-8")
    assert _exit_code(["sweep", "a.yaml", "--set", "sweep.storage=postgresql://me:geheim@host/x"]) == 2
    assert "geheim" not in capsys.readouterr().err
    assert not Path("runs").exists()


def test_processes_share_a_sweep(tmp_path: Path) -> None:
    def watching(then: Callable[[], None]) -> Silent:
        class Watching(Silent):
            def on_trial(self, trial: Trial) -> None:
                if trial.number == 0:
                    then()

        return Watching()

    storage = str(tmp_path / "journal.log")
    others: list[Sweeping] = []
    text = TEXT.replace("trials: 12", "trials: 40")

    def other() -> None:
        others.append(ffspec.sweep(text, out=tmp_path / "other", storage=storage))

    found = ffspec.sweep(text, out=tmp_path / "one", storage=storage, watcher=watching(other))
    assert len(others[0].trials) == 9, "the first process has taken 32, and ended one of them"
    assert [trial.number for trial in found.trials] == [*range(40)]
    alone = ffspec.sweep(text)
    assert [trial.point for trial in found.trials] == [trial.point for trial in alone.trials]
    assert found.best.number == alone.best.number
    with pytest.raises(StorageError, match="the storage has another sweep called 'small'"):
        ffspec.sweep(text, overrides=["sweep.seed=1"], storage=storage)


@pytest.mark.parametrize("method", ["tpe", "hyperband"])
def test_a_process_that_was_stopped_goes_on_with_its_own_points(method: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"out": tmp_path, "storage": str(tmp_path / "journal.log")}
    with pytest.raises(Stop):
        ffspec.sweep(of(method), watcher=Stopping(3), **given)
    with pytest.raises(StorageError, match="is of a sweep that is shared: give its command again, with its storage"):
        resume_sweep(tmp_path / "small" / "001")
    found = ffspec.sweep(of(method), **given)
    assert found.directory == tmp_path / "small" / "001"
    assert [trial.number for trial in found.trials] == [*range(12)]


def test_a_storage_that_a_spec_names_is_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{TEXT}  storage: journal.log\n", encoding="utf-8")
    ffspec.sweep(tmp_path / "a.yaml", overrides=["sweep.trials=2"])
    assert (tmp_path / "journal.log").is_file()
    for elsewhere in ("../journal.log", "postgresql://host/name"):
        (tmp_path / "a.yaml").write_text(f"{TEXT}  storage: {elsewhere}\n", encoding="utf-8")
        with pytest.raises(SpecError) as failure:
            ffspec.sweep(tmp_path / "a.yaml")
        (found,) = failure.value.diagnostics
        assert found.message == "the storage a spec names must be a file in its folder"


def test_points_of_a_process_that_is_no_more_are_taken_over(tmp_path: Path) -> None:
    storage = str(tmp_path / "journal.log")
    with pytest.raises(Stop):
        ffspec.sweep(of("hyperband"), out=tmp_path / "killed", storage=storage, watcher=Stopping(2))
    other = ffspec.sweep(of("hyperband"), out=tmp_path / "other", storage=storage)
    assert [trial.number for trial in other.trials] == [*range(12)]
    assert any(trial.pruned for trial in other.trials)
    assert other.elsewhere == {}
    again = ffspec.sweep(of("hyperband"), out=tmp_path / "killed", storage=storage)
    assert untimed(again.trials) == untimed(other.trials)


def test_points_of_a_process_that_may_be_alive_are_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = str(tmp_path / "journal.log")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("socket.gethostname", lambda: "far")
        with pytest.raises(Stop):
            ffspec.sweep(of("tpe"), out=tmp_path / "far", storage=storage, watcher=Stopping(2))

    class Late(Silent):
        """By the time the best is run, the other process has ended its points."""

        def on_end(self, best: Trial) -> None:
            del best
            monkeypatch.setattr(sharing.Shared, "elsewhere", lambda _: {})

    found = ffspec.sweep(of("tpe"), out=tmp_path / "near", storage=storage, watcher=Late())
    worker = f"far:{tmp_path / 'far' / 'small' / '001'}"
    assert found.elsewhere == {worker: 6}
    assert len(found.trials) == 6
    said = f"  6 points are still with {worker}; if it was stopped, give its command again there"
    assert said in summary(found).splitlines()


def test_a_signal_waits_until_a_point_is_somebodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"out": tmp_path, "storage": str(tmp_path / "journal.log")}
    drawn, library = Space.point, studies.library

    def hit(space: Space, number: int) -> Point:
        if number == 3:
            signal.raise_signal(signal.SIGTERM)
        return drawn(space, number)

    def begin(what: str) -> Any:
        patch.setattr(Space, "point", hit)  # not before: points are drawn to be checked, too
        return library(what)

    with monkeypatch.context() as patch:
        patch.setattr(studies, "library", begin)
        with pytest.raises(InterruptedRunError):
            sweep_document(document.parse(TEXT), signals=True, **given)
    found = ffspec.sweep(TEXT, **given)
    assert [trial.number for trial in found.trials] == [*range(12)]
    assert found.elsewhere == {}


def test_points_of_nobody_are_said_to_be() -> None:
    found = ffspec.sweep(TEXT, overrides=["sweep.trials=2"])
    lost = replace(found, elsewhere={"": 1, "far:/runs/1": 1})
    assert summary(lost).splitlines()[3:5] == [
        "  1 point is with nobody: a process was killed before they were its own",
        "  1 point is still with far:/runs/1; if it was stopped, give its command again there",
    ]
