"""A sweep, from its first point to the run of the best."""

from __future__ import annotations

import shutil
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ffspec import document
from ffspec.diagnostics import DivergedError, InterruptedRunError
from ffspec.resolver import moved
from ffspec.review import Review
from ffspec.rules.points import unchosen, unfit
from ffspec.runner.run import execute, prepare
from ffspec.runner.signals import heeding
from ffspec.runner.sweeping import places
from ffspec.runner.sweeping.asking import Book, Counted
from ffspec.runner.sweeping.ending import margin_of
from ffspec.runner.sweeping.log import Log
from ffspec.runner.sweeping.proposing import Proposed
from ffspec.runner.sweeping.sharing import Shared
from ffspec.runner.sweeping.training import CHOOSING, Ground, Rows
from ffspec.runner.sweeping.trials import Sweeping, best_of, sure
from ffspec.spec.tables import Table
from ffspec.writer import dump

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import FrameType

    from ffspec.data import Loaded
    from ffspec.diagnostics import Diagnostic
    from ffspec.document import Document
    from ffspec.points import Space
    from ffspec.rundir import RunDirectory
    from ffspec.runner.run import Request
    from ffspec.runner.sweeping.trials import Trial


class Watcher(Protocol):
    """Told what a sweep is doing, as it does it."""

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Rules have found something in the spec as it stands that does not stop the sweep."""

    def on_start(self, space: Space, known: Mapping[int, Trial], directory: Path | None) -> None:
        """The sweep begins, or goes on where `known` has come to."""

    def on_trial(self, trial: Trial) -> None:
        """A point has been trained."""

    def on_end(self, best: Trial) -> None:
        """All points have been trained, and the best is about to be run."""


class Silent:
    """A watcher that says nothing."""

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Say nothing."""

    def on_start(self, space: Space, known: Mapping[int, Trial], directory: Path | None) -> None:
        """Say nothing."""

    def on_trial(self, trial: Trial) -> None:
        """Say nothing."""

    def on_end(self, best: Trial) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A sweep that is to be made."""

    request: Request
    """How its spec as it stands is run."""
    space: Space
    opened: Document
    """The document the spec was read from."""
    said: Mapping[str, Any]
    """What another process needs to go on with it: overrides, codes to let through."""
    storage: str | None = None
    """Where the sweep is shared."""
    signals: bool = False
    """Whether SIGINT and SIGTERM end the sweep, to be gone on with."""
    anew: bool = False
    """Whether to begin anew although there is a sweep to go on with."""
    inside: RunDirectory | None = None
    """The run directory of the sweep to go on with, open."""
    told: frozenset[str] = frozenset()
    """The messages of what was found in the spec as it stands."""


def sweep(errand: Errand, watcher: Watcher | None = None) -> Sweeping:
    """Try the points of a sweep, and run the best.

    Raises:
        SpecError: The spec as it stands, or its data, cannot be used.
        DivergedError: No point could be trained.
        StorageError: The run directory, or the storage, cannot be used.
        InterruptedRunError: A signal has come.
    """
    watcher = watcher or Silent()
    base = errand.space.spec({})
    request = replace(errand.request, spec=base)
    review = Review(errand.opened, base.allowed)
    loaded, _ = prepare(request, review)
    if CHOOSING not in loaded.splits:
        review.take((unchosen(errand.space),))
        review.stop()
    if wrong := unfit(errand.space, loaded.facts):
        review.take(wrong)
        review.stop()
    watcher.on_findings(review.told, review)
    identity = places.identity_of(errand.space, loaded)
    owned = places.place_of(errand, identity)
    told = frozenset(item.message for item in review.told)
    try:
        return _in(owned, replace(errand, request=request, told=told), identity, watcher, loaded)
    finally:
        if owned is not None:
            owned.close()


def _in(owned: RunDirectory | None, errand: Errand, identity: str, watcher: Watcher, loaded: Loaded) -> Sweeping:
    """Make a sweep in its run directory."""
    directory = None if owned is None else owned.path
    log = Log(directory)
    places.begin(owned, errand, identity, log)
    began, before = time.monotonic(), log.spent
    request = errand.request
    rows = Rows(request.arrays, request.allow_outside)
    rows.keep(request.spec, loaded)
    ground = Ground(errand.space, rows, lambda: before + time.monotonic() - began)
    try:
        with ending_at(directory, errand) if errand.signals else nullcontext():
            book = _book(errand, log, ground, directory)
            watcher.on_start(errand.space, book.trials(), directory)
            _try(book, ground, watcher)
            return _end(book, ground, errand, owned, watcher)
    finally:
        log.close()


def _book(errand: Errand, log: Log, ground: Ground, directory: Path | None) -> Book:
    """Return what knows which points are still to be tried."""
    kinds = ground.kinds() if errand.space.sweep.method == "hyperband" else ()
    if errand.storage is not None:
        return Shared(errand.space, log, errand.storage, errand.request.name, directory, kinds)
    if errand.space.sweep.method in {"tpe", "hyperband"}:
        return Proposed(errand.space, log, directory, kinds)
    return Counted(errand.space, log)


def _try(book: Book, ground: Ground, watcher: Watcher) -> None:
    """Train points until there are none left, or no time."""
    seconds = ground.space.sweep.seconds

    def over() -> bool:
        return seconds is not None and ground.elapsed() >= seconds and bool(book.trials())

    while not over() and (points := book.next()):
        bracket = book.bracket()
        for trial in ground.train(points, bracket):
            watcher.on_trial(book.add(trial))
            if bracket is None and over():  # those that are compared have all begun
                break


def _end(book: Book, ground: Ground, errand: Errand, owned: RunDirectory | None, watcher: Watcher) -> Sweeping:
    """Run the best as any spec is run, and say how sure it is that it is better."""
    space, elsewhere = errand.space, book.elsewhere()  # before the best is run: what others end meanwhile is left out
    trials = dict(sorted(book.trials().items()))
    best = best_of(trials.values(), space.sweep.metric)
    if best is None:
        first = next((trial.error for trial in trials.values() if trial.error), "there is no time for one")
        raise DivergedError(f"none of {len(trials)} points could be trained: {first}")
    watcher.on_end(best)
    spec = space.spec(best.point)
    text = dump(spec)
    if owned is not None:
        head = f"# Of {len(trials)} points the best {space.sweep.metric}: {sure(best.value or 0.0):g}."
        text = f"{head}\n{dump(moved(spec, owned.path))}"
        owned.write(places.BEST, text)
        shutil.rmtree(owned.path / "best", ignore_errors=True)  # of a run that was stopped
    out = None if owned is None else owned.path
    final = replace(errand.request, spec=spec, text=text, out=out, name="best")
    review = Review(document.of(spec), spec.allowed)
    result = execute(final, review)
    watcher.on_findings(tuple(item for item in result.findings if item.message not in errand.told), review)
    found = Sweeping(
        space=space,
        spec=errand.request.spec,
        metric=space.sweep.metric,
        trials=tuple(trials.values()),
        best=best,
        best_spec=spec,
        result=result,
        margin=margin_of(best, trials, ground, result),
        directory=out,
        elsewhere=elsewhere,
    )
    book.close()
    if owned is not None:
        owned.write_json(places.SUMMARY, as_plain(found))
    return found


def as_plain(found: Sweeping) -> dict[str, Any]:
    """Return what a sweep came to, as JSON can say it."""
    failed = [trial for trial in found.trials if trial.error is not None]
    return {
        "metric": found.metric,
        "method": found.space.sweep.method,
        "budget": places.budget(found.space),
        "trials": len(found.trials),
        "failed": len(failed),
        "pruned": sum(trial.pruned for trial in found.trials),
        "best": {"number": found.best.number, "point": found.best.point, "value": found.best.value},
        "default": next((trial.value for trial in found.trials if trial.number == 0), None),
        "margin": None if found.margin is None else {**asdict(found.margin), "within_noise": found.margin.within_noise},
        "before": found.result.before,
        "after": found.result.after,
        "intervals": found.result.intervals,
        "expectations": [asdict(item) for item in found.result.expectations],
        "ok": found.ok,
    }


def ending_at(directory: Path | None, errand: Errand) -> AbstractContextManager[None]:
    """Let SIGINT and SIGTERM end a sweep where it stands: what is in the log stays."""
    table = isinstance(errand.request.spec.dataset.source, Table)

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        raise InterruptedRunError(number, directory, table=table, shared=errand.storage is not None)

    return heeding(end)
