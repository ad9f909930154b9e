"""The library: load, dump, check, plan, build and run a spec from Python."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffspec import document, planner
from ffspec.diagnostics import SpecError
from ffspec.rules import examine
from ffspec.spec.root import Spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from ffspec.diagnostics import Diagnostic
    from ffspec.document import Document
    from ffspec.planner import Plan
    from ffspec.runner.result import Result
    from ffspec.runner.run import Observer, Request

Source = str | Path | Spec
"""A spec, or where to find one: a path, or YAML text (anything with a line break)."""


def load(source: str | Path, *, overrides: Sequence[str] = ()) -> Spec:
    """Read and check a spec.

    Args:
        source: A path, or YAML text (anything with a line break).
        overrides: What to change, as `path=value`: `["optimizer.sgd.lr=0.1"]`.

    Raises:
        SpecError: It cannot be read or is not valid; `str(error)` shows every fault in its line.
    """
    return sound(open_document(source, overrides))


def dump(spec: Spec, path: str | Path | None = None) -> str:
    """Return a spec as YAML, and write it to `path` if given; `load(dump(spec)) == spec`."""
    from ffspec.writer import dump as to_text

    text = to_text(spec)
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def check(source: Source, *, overrides: Sequence[str] = ()) -> tuple[Diagnostic, ...]:
    """Return everything that is wrong with a spec, in file order; nothing is raised for it."""
    if isinstance(source, Spec):
        return examine(dict(source))
    return diagnose(open_document(source, overrides))


def plan(source: Source) -> Plan:
    """Work out shapes, parameter counts, FLOPs and torch calls; what only the data can tell is None.

    Raises:
        SpecError: The spec is not valid.
    """
    return planner.plan(_spec(source))


def build(source: Source, data: Any = None) -> nn.Sequential:
    """Build the network of a spec, in train mode, with the weights `run` starts from.

    The data is loaded only if the widths depend on it.

    Raises:
        SpecError: The spec is not valid, or its data cannot be used.
    """
    from ffspec.builder.network import build_network

    spec = _spec(source)
    made = planner.plan(spec) if data is None else None
    if made is None or made.parameters is None:
        from ffspec.runner.run import prepare

        _, made = prepare(_request(spec, data))
    return build_network(made, seed=spec.seed, precision=spec.training.precision)


def run(  # noqa: PLR0913 - each is one thing a caller may want to set
    source: Source,
    data: Any = None,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    out: str | Path | None = None,
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
        observer: Told of the start and of every epoch.

    Raises:
        SpecError: The spec is not valid, or its data cannot be used.
        DivergedError: A loss or an output was not finite.
        StorageError: The run directory cannot be written.
    """
    from ffspec.runner.run import execute

    if isinstance(source, Spec):
        return execute(_request(_seeded(source, seed), data, out), observer)
    return run_document(open_document(source, overrides), data, seed=seed, out=out, observer=observer)


def run_document(
    opened: Document,
    data: Any = None,
    *,
    seed: int | None = None,
    out: str | Path | None = None,
    observer: Observer | None = None,
) -> Result:
    """Train the network of a document; see `run`. What is wrong with the data is shown in its line too."""
    from ffspec.runner.run import execute

    request = _request(_seeded(sound(opened), seed), data, out, opened)
    try:
        return execute(request, observer)
    except SpecError as error:
        raise located(error, opened) from None


def open_document(source: str | Path, overrides: Sequence[str] = ()) -> Document:
    """Read a spec without judging it."""
    if isinstance(source, str) and "\n" in source:
        return document.parse(source, overrides=tuple(overrides))
    return document.load(source, overrides=tuple(overrides))


def diagnose(opened: Document) -> tuple[Diagnostic, ...]:
    """Return a document's structural faults and what the rules find in its valid part, in file order."""
    found = (opened.locate(item) for item in examine(opened.parts))
    return document.in_order((*opened.diagnostics, *found))


def sound(opened: Document) -> Spec:
    """Return the spec of a document without errors.

    Raises:
        SpecError: It has some.
    """
    document.raise_for(opened, diagnose(opened))
    if opened.spec is None:  # a document without a spec has an error
        raise SpecError(opened.diagnostics)
    return opened.spec.at(opened.directory)


def located(error: SpecError, opened: Document) -> SpecError:
    """Return an error found after reading, with its place in the document."""
    diagnostics = tuple(opened.locate(item) for item in error.diagnostics)
    return SpecError(diagnostics, opened.render(diagnostics))


def _spec(source: Source) -> Spec:
    return source if isinstance(source, Spec) else load(source)


def _seeded(spec: Spec, seed: int | None) -> Spec:
    return spec if seed is None else spec.model_copy(update={"seed": seed})


def _request(spec: Spec, data: Any, out: str | Path | None = None, opened: Document | None = None) -> Request:
    from ffspec.runner.run import Request

    return Request(
        spec=spec,
        name=spec.name or (_stem(opened.source.name) if opened else "run"),
        text=opened.source.text if opened else dump(spec),
        arrays=data,
        out=None if out is None else Path(out),
    )


def _stem(name: str) -> str:
    """Return what a file's name makes of a run's folder."""
    cleaned = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(name).stem).strip("-.")
    return cleaned or "run"
