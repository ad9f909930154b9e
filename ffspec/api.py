"""The library: load, dump, check, plan, build and run a spec from Python."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffspec import document, planner
from ffspec.diagnostics import Severity, SpecError
from ffspec.review import Review
from ffspec.rules import STATIC, examine, inspect
from ffspec.rules.points import examine_points
from ffspec.spec.root import Spec

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from torch import nn

    from ffspec.diagnostics import Diagnostic
    from ffspec.document import Document
    from ffspec.planner import Plan
    from ffspec.points import Space
    from ffspec.runner.result import Result
    from ffspec.runner.run import Observer, Request

Source = str | Path | Spec
"""A spec, or where to find one: a path, or YAML text (anything with a line break)."""


def load(source: str | Path, *, overrides: Sequence[str] = (), allow: Collection[str] = ()) -> Spec:
    """Read and check a spec.

    Args:
        source: A path, or YAML text (anything with a line break).
        overrides: What to change, as `path=value`: `["optimizer.sgd.lr=0.1"]`.
        allow: The codes of rules to let through: `["FF110"]`.

    Raises:
        SpecError: It cannot be read or is not valid; `str(error)` shows every fault in its line.
    """
    return sound(open_document(source, overrides), allow)


def dump(spec: Spec, path: str | Path | None = None) -> str:
    """Return a spec as YAML, and write it to `path` if given; `load(dump(spec)) == spec`."""
    from ffspec.writer import dump as to_text

    text = to_text(spec)
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def dump_resolved(source: Source) -> str:
    """Return a spec as YAML with its recipe, every default, and every width the spec alone tells written out.

    It is itself a spec, for a file in the working directory, and runs to the same bits.

    Raises:
        SpecError: The spec is not valid.
    """
    from ffspec.resolver import resolve
    from ffspec.writer import dump as to_text

    spec = _spec(source).model_copy(update={"sweep": None})
    made = planner.plan(spec)
    return to_text(resolve(planner.settle(spec, made.facts), made, Path()), full=True)


def check(  # noqa: PLR0913 - each is one thing a caller may want to set
    source: Source,
    *,
    overrides: Sequence[str] = (),
    allow: Collection[str] = (),
    data: bool = False,
    probe: bool = False,
    allow_outside: bool = False,
) -> tuple[Diagnostic, ...]:
    """Return everything that is wrong with a spec, in file order; nothing is raised for it.

    Args:
        source: A spec, a path, or YAML text.
        overrides: What to change, as `path=value`; only for a path or text.
        allow: The codes of rules to let through.
        data: Whether to load the rows and apply the rules that read them.
        probe: Whether to build the network too, and try it on a batch.
        allow_outside: Whether data files may lie outside the spec's folder.
    """
    opened = document.of(source) if isinstance(source, Spec) else open_document(source, overrides)
    return diagnose(opened, allow, data=data, probe=probe, allow_outside=allow_outside)


def plan(source: Source) -> Plan:
    """Work out shapes, parameter counts, FLOPs and torch calls; what only the data can tell is None.

    Raises:
        SpecError: The spec is not valid.
    """
    return planner.plan(_spec(source))


def build(source: Source, data: Any = None, *, allow_outside: bool = False) -> nn.Sequential:
    """Build the network of a spec, in train mode, with the weights `run` starts from.

    The data is loaded only if the widths depend on it; its files may lie outside the spec's folder if `allow_outside`.

    Raises:
        SpecError: The spec is not valid, or its data cannot be used.
    """
    from ffspec.builder.network import build_network

    spec = _spec(source)
    made = planner.plan(spec) if data is None else None
    if made is None or made.parameters is None:
        from ffspec.runner.run import prepare

        _, made = prepare(request_of(spec, data, allow_outside=allow_outside), Review(document.of(spec), spec.allowed))
    return build_network(made, seed=spec.seed, precision=spec.training.precision)


def run(  # noqa: PLR0913 - each is one thing a caller may want to set
    source: Source,
    data: Any = None,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    out: str | Path | None = None,
    allow: Collection[str] = (),
    allow_outside: bool = False,
    observer: Observer | None = None,
) -> Result:
    """Train a spec's network, with eval-mode checks before and after.

    Args:
        source: A spec, a path, or YAML text.
        data: Arrays that take the place of the spec's rows: `(X, y)`, which is split as the spec says, or
            `{"train": (X, y), "test": (X, y)}`. X has shape (N, F), y (N,) or (N, C).
        overrides: What to change, as `path=value`; only for a path or text.
        seed: The seed in place of the spec's.
        out: The folder to make a run directory in; none is made if left out.
        allow: The codes of rules to let through: `["FF110"]`.
        allow_outside: Whether data files may lie outside the spec's folder.
        observer: Told of findings, of the start and of every epoch.

    Raises:
        SpecError: The spec is not valid, or its data cannot be used.
        DivergedError: A loss or an output was not finite.
        StorageError: The run directory cannot be written.
    """
    opened = document.of(source) if isinstance(source, Spec) else open_document(source, overrides)
    return run_document(opened, data, seed=seed, out=out, allow=allow, allow_outside=allow_outside, observer=observer)


def run_document(  # noqa: PLR0913 - as for `run`
    opened: Document,
    data: Any = None,
    *,
    seed: int | None = None,
    out: str | Path | None = None,
    allow: Collection[str] = (),
    allow_outside: bool = False,
    observer: Observer | None = None,
    signals: bool = False,
    nudged: bool = False,
) -> Result:
    """Train the network of a document; see `run`. What is wrong with the data is shown in its line too.

    With `signals`, SIGINT and SIGTERM end the training after its step. With `nudged` it starts from weights one unit in
    the last place away, to see what that changes.
    """
    from ffspec.runner.run import execute

    spec = sound(opened, allow)
    seeded = spec if seed is None else spec.model_copy(update={"seed": seed})
    request = replace(
        request_of(seeded, data, out, opened, allow_outside=allow_outside), signals=signals, nudged=nudged
    )
    return execute(request, Review(opened, spec.allowed), observer)


def resume(  # noqa: PLR0913 - each is one thing a caller may want to set
    directory: str | Path,
    *,
    epochs: int | None = None,
    force: bool = False,
    allow_outside: bool = False,
    observer: Observer | None = None,
    signals: bool = False,
) -> Result:
    """Go on with a run that was stopped, to the same bits as if it had not been.

    Args:
        directory: The run directory.
        epochs: Train for so many in all, instead of what the spec says; a schedule stays as it was.
        force: Whether to go on although files, versions or the data are not what they were.
        allow_outside: Whether data files may lie outside the run directory, as a table's do.
        observer: Told of findings, of the start and of every epoch.
        signals: Whether SIGINT and SIGTERM end the training after its step, its state kept.

    Raises:
        StorageError: It is no run directory, it is in use, damaged, or something it depends on has changed.
        SpecError: Its spec or its data cannot be used.
        DivergedError: A loss or an output was not finite.
    """
    from ffspec import rundir
    from ffspec.runner.run import go_on

    owned = rundir.reopen(Path(directory))
    try:
        overrides = () if epochs is None else (f"training.epochs={epochs}", "training.max_steps=null")
        opened = document.load(owned.path / rundir.RESOLVED, overrides)
        spec = sound(opened)
        request = replace(request_of(spec, None, None, opened, allow_outside=allow_outside), signals=signals)
        return go_on(request, Review(opened, spec.allowed), owned, observer, force=force)
    finally:
        owned.close()


def open_document(source: str | Path, overrides: Sequence[str] = ()) -> Document:
    """Read a spec without judging it."""
    if isinstance(source, str) and "\n" in source:
        return document.parse(source, overrides=tuple(overrides))
    return document.load(source, overrides=tuple(overrides))


def diagnose(
    opened: Document,
    allow: Collection[str] = (),
    *,
    data: bool = False,
    probe: bool = False,
    allow_outside: bool = False,
) -> tuple[Diagnostic, ...]:
    """Return a document's structural faults and what the rules find in its valid part, in file order.

    With `data` the rows are loaded and judged too, with `probe` the network tried, where nothing stands in the way.
    """
    review = _read(opened, allow)
    sure = all(item.severity is not Severity.ERROR for item in review.told)
    if sure and opened.spec is not None and opened.spec.sweep is not None:
        review.take(points_of(opened, opened.spec.at(opened.directory))[1])
    if (data or probe) and sure and opened.spec is not None:
        review = Review(opened, frozenset(allow) | opened.spec.allowed)
        _inspect(opened.spec.at(opened.directory), review, probe=probe, allow_outside=allow_outside)
    return document.in_order((*review.told, *review.unused()))


def sound(opened: Document, allow: Collection[str] = ()) -> Spec:
    """Return the spec of a document without errors.

    Raises:
        SpecError: It has some.
    """
    review = _read(opened, allow)
    review.stop()
    if opened.spec is None:  # a document without a spec has an error
        raise SpecError(opened.diagnostics)
    return opened.spec.at(opened.directory, allowed=review.allowed | frozenset(allow) | opened.spec.allowed)


def _read(opened: Document, allow: Collection[str]) -> Review:
    """Judge what is known without the rows."""
    allowed = frozenset(allow) | (opened.spec.allowed if opened.spec else frozenset())
    review = Review(opened, allowed)
    review.take((*opened.diagnostics, *examine(opened.parts)), (rule.about.code for rule in STATIC))
    return review


def points_of(opened: Document, spec: Spec) -> tuple[Space, tuple[Diagnostic, ...]]:
    """Return the points of a sound document's sweep, and what is wrong with them."""
    space = document.space(opened, spec)
    return space, examine_points(space)


def _inspect(spec: Spec, review: Review, *, probe: bool, allow_outside: bool) -> None:
    """Load the rows of a spec, and let `review` take what the rules find."""
    from ffspec.data import load_spec
    from ffspec.rules import data_rules

    static = [rule.about.code for rule in STATIC]
    try:
        if probe:
            from ffspec.runner.run import inspect_network

            inspect_network(request_of(spec, None, allow_outside=allow_outside), review)
        else:
            review.take(inspect(dict(spec), load_spec(spec, allow_outside=allow_outside)))
        review.take((), (*static, *(rule.about.code for rule in data_rules())))
    except SpecError as error:
        review.take((*error.diagnostics, *examine(dict(spec))), static)


def _spec(source: Source) -> Spec:
    return source if isinstance(source, Spec) else load(source)


def request_of(
    spec: Spec,
    data: Any,
    out: str | Path | None = None,
    opened: Document | None = None,
    *,
    allow_outside: bool,
) -> Request:
    """Return what is to be run: a spec, without its sweep, and where its files are."""
    from ffspec.runner.run import Request

    read = opened is not None and opened.source.text
    return Request(
        spec=spec.model_copy(update={"sweep": None}),
        name=spec.name or (_stem(opened.source.name) if opened and read else "run"),
        text=opened.source.text if opened and read else dump(spec),
        arrays=data,
        out=None if out is None else Path(out),
        allow_outside=allow_outside,
    )


def _stem(name: str) -> str:
    """Return what a file's name makes of a run's folder; of a run's resolved spec, that run's folder."""
    path = Path(name).absolute()
    if path.name == "resolved.yaml" and (path.parent / "manifest.json").is_file():
        name = path.parent.parent.name + ".yaml"
    cleaned = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(name).stem).strip("-.")
    return cleaned or "run"
