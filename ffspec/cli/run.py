"""`ffspec run`: train, with eval-mode checks before and after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ffspec.cli import options
from ffspec.diagnostics import DivergedError, FfspecError, InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.document import Document
    from ffspec.runner.folds import CrossValidation
    from ffspec.runner.repeats import Repeated
    from ffspec.runner.result import Result

    Outcome = Result | CrossValidation | Repeated | FfspecError
    Ended = tuple[Document, Outcome]
    """A spec, and what became of it."""


@click.command()
@options.SPEC
@options.SET
@options.SEED
@options.ALLOW
@options.ALLOW_OUTSIDE
@options.VERBOSE
@options.OUT
@click.option("--folds", type=click.IntRange(2, 1000), help="Cross-validate: train once for each of so many parts.")
@click.option("--seeds", type=click.IntRange(2, 10_000), help="Train from so many seeds, and tell mean and spread.")
@click.option("--resplit", is_flag=True, help="With --seeds: draw the rows of the splits anew for each, too.")
@click.option("--stability", is_flag=True, help="Train once more, minutely changed, and say which digits stay.")
@click.option("--details", is_flag=True, help="Print every common metric of the test split, and its classes.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what went wrong.")
@options.formats("text", "json")
def run(
    specs: tuple[str, ...],
    overrides: tuple[str, ...],
    seed: int | None,
    allow: tuple[str, ...],
    out: str,
    *,
    folds: int | None,
    seeds: int | None,
    resplit: bool,
    allow_outside: bool,
    verbose: bool,
    stability: bool,
    details: bool,
    quiet: bool,
    form: str,
) -> int:
    """Train the networks of SPECS, with eval-mode checks before and after.

    Exits with 0 if every expectation under `checks` held, 1 if one did not, 2 if a spec or its data cannot be used,
    3 if training diverged, 4 if something could not be written.
    """
    from ffspec import document

    several = Several(folds=folds, seeds=seeds, resplit=resplit)
    several.check(stability=stability, details=details)
    opened = [document.load(path, overrides) for path in specs]
    given = {"seed": seed, "out": Path(out), "allow": allow, "allow_outside": allow_outside}
    shown = Shown(
        verbose=verbose, stability=stability and form == "text", details=details, silent=quiet or form == "json"
    )
    # Every spec is checked before the first is trained: a typo in the last should not cost the time of the others.
    ended = _unsound(opened, allow) or list(_run_all(opened, several, shown, given))
    _tell(ended, quiet=quiet, form=form)
    return max(code_of(found) for _, found in ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """Of how many trainings a figure is to be."""

    folds: int | None
    seeds: int | None
    resplit: bool

    def check(self, *, stability: bool, details: bool) -> None:
        """Refuse options that do not go together."""
        if self.resplit and self.seeds is None:
            raise click.UsageError("--resplit is of several seeds: write --seeds 10, say")
        option = "folds" if self.folds is not None else "seeds"
        if (self.folds or self.seeds) is not None and (stability or details):
            name = "stability" if stability else "details"
            raise click.UsageError(f"--{name} is of one training: leave out --{option}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is shown of a run."""

    verbose: bool
    stability: bool
    details: bool
    silent: bool


def _run_all(opened: list[Document], several: Several, shown: Shown, given: dict[str, Any]) -> Iterator[Ended]:
    """Train one spec after the other, until a signal comes."""
    import gc

    gc.enable()
    for one in opened:
        many = several.seeds is not None or several.folds is not None
        found = _several(one, several, shown, **given) if many else _train(one, shown, **given)
        yield one, found
        if isinstance(found, InterruptedRunError):
            return


def _unsound(opened: list[Document], allow: tuple[str, ...]) -> list[Ended]:
    """Return the specs that cannot be run, each with its errors."""
    from ffspec import api

    found: list[Ended] = []
    for one in opened:
        try:
            api.sound(one, allow)
        except FfspecError as error:
            found.append((one, error))
    return found


def _train(one: Document, shown: Shown, **given: Any) -> Result | FfspecError:
    from ffspec import api
    from ffspec.cli.progress import Reporter, summary
    from ffspec.cli.replay import digits_that_stay, replayed

    reporter = None if shown.silent else Reporter(verbose=shown.verbose)
    if reporter is not None and one.spec is not None and one.spec.sweep is not None:
        click.echo(f"the sweep is left out, and the spec trained as it stands; with it: ffspec sweep {one.source.name}")
    try:
        result = api.run_document(one, observer=reporter, signals=True, **given)
    except FfspecError as error:
        return error
    finally:
        # A run that fails must leave the terminal as it was too: the bar hides the cursor.
        if reporter is not None:
            reporter.close()
    if reporter is not None:
        click.echo(summary(result, detailed=shown.details) + replayed(one, result))
    if shown.stability:
        nudged = api.run_document(one, nudged=True, **{**given, "out": None})
        click.echo(digits_that_stay(result, nudged))
    return result


def _several(one: Document, several: Several, shown: Shown, **given: Any) -> CrossValidation | Repeated | FfspecError:
    from ffspec import repeating
    from ffspec.cli.several import Reporter
    from ffspec.runner.several import Repetition

    how = Repetition(seeds=several.seeds, folds=several.folds, resplit=several.resplit)
    listener = None if shown.silent else Reporter(verbose=shown.verbose)
    given |= {"listener": listener, "signals": True}
    found: CrossValidation | Repeated
    try:
        if how.seeds is None:
            found = repeating.cross_validate_document(one, folds=how.folds or 0, **given)
        else:
            found = repeating.repeat_document(one, None, how, **given)
    except FfspecError as error:
        return error
    finally:
        if listener is not None:
            listener.close()
    if not shown.silent:
        click.echo(_summary(found))
    return found


def _tell(ended: list[Ended], *, quiet: bool, form: str) -> None:
    """Print everything as JSON, or what went wrong."""
    import json

    from ffspec.cli.errors import said

    if form == "json":
        click.echo(json.dumps([_as_json(*item) for item in ended], indent=2))
        return
    for one, found in ended:
        if isinstance(found, FfspecError):
            click.echo(said(found, one), err=True)
        elif quiet and not found.ok:
            click.echo(f"{one.source.name}:\n{_summary(found)}", err=True)


def _summary(found: Result | CrossValidation | Repeated) -> str:
    from ffspec.cli import progress, several
    from ffspec.runner.result import Result

    return progress.summary(found) if isinstance(found, Result) else several.summary(found)


def code_of(found: Outcome) -> int:
    """Return what the command exits with."""
    if isinstance(found, FfspecError):
        return found.exit_code
    if getattr(found, "diverged", ()):
        return DivergedError.exit_code
    return 0 if found.ok else 1


def _as_json(one: Document, found: Outcome) -> dict[str, Any]:
    from dataclasses import asdict

    from ffspec.formats import to_json

    name = one.source.name
    if isinstance(found, FfspecError):
        listed = to_json(getattr(found, "diagnostics", ()), file=name)["diagnostics"]
        error = {"code": found.code, "message": str(found), "exit_code": found.exit_code}
        return {"file": name, "ok": False, "error": error, "findings": listed}
    from ffspec.cli import folds, seeds
    from ffspec.runner.folds import CrossValidation
    from ffspec.runner.record import judged
    from ffspec.runner.repeats import Repeated

    if isinstance(found, CrossValidation):
        return {"file": name, **folds.as_json(found)}
    if isinstance(found, Repeated):
        return {"file": name, **seeds.as_json(found)}
    return {
        "file": name,
        "name": found.spec.name,
        "directory": None if found.directory is None else str(found.directory),
        "parameters": found.plan.parameters,
        "before": found.before,
        "after": found.after,
        **judged(found),
        "baselines": [asdict(item) for item in found.baselines],
        "history": list(found.history),
        "expectations": [asdict(item) for item in found.expectations],
        "findings": to_json(found.findings, file=name)["diagnostics"],
        "ok": found.ok,
    }
