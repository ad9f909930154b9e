"""Sweeps from Python: `ffspec.sweep`, and what the command builds on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffspec import api, document
from ffspec.diagnostics import Diagnostic, SpecError, StorageError
from ffspec.review import Review
from ffspec.spec.root import Spec
from ffspec.spec.tables import Table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ffspec.api import Source
    from ffspec.document import Document
    from ffspec.points import Space
    from ffspec.rundir import RunDirectory
    from ffspec.runner.sweeping import Sweeping, Watcher


def sweep(  # noqa: PLR0913 - each is one thing a caller may want to set
    source: Source,
    data: Any = None,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    out: str | Path | None = None,
    storage: str | None = None,
    allow: Collection[str] = (),
    allow_outside: bool = False,
    anew: bool = False,
    watcher: Watcher | None = None,
) -> Sweeping:
    """Try the points of a spec's sweep, and run the best of them.

    Args:
        source: A spec, a path, or YAML text.
        data: As for `run`.
        overrides: What to change, as `path=value`; only for a path or text.
        seed: The seed in place of the spec's.
        out: The folder to make a run directory in, or to find the one of a sweep that was stopped; none if left out.
        storage: Where the sweep is shared: the URL of a database, or a journal file.
        allow: The codes of rules to let through: `["FF110"]`.
        allow_outside: Whether data files may lie outside the spec's folder, and a storage the spec names anywhere.
        anew: Whether to begin anew although there is a sweep to go on with.
        watcher: Told of the start and of every point.

    Raises:
        SpecError: The spec is not valid or has no sweep, or its data cannot be used.
        DivergedError: No point could be trained.
        StorageError: The run directory, or the storage, cannot be used.
    """
    if isinstance(source, Spec):
        opened = document.of(source if seed is None else source.model_copy(update={"seed": seed}))
    else:
        opened = api.open_document(source, (*overrides, *([] if seed is None else [f"seed={seed}"])))
    return sweep_document(
        opened, data, out=out, storage=storage, allow=allow, allow_outside=allow_outside, anew=anew, watcher=watcher
    )


def sweep_document(  # noqa: PLR0913 - as for `sweep`
    opened: Document,
    data: Any = None,
    *,
    out: str | Path | None = None,
    storage: str | None = None,
    allow: Collection[str] = (),
    allow_outside: bool = False,
    anew: bool = False,
    watcher: Watcher | None = None,
    signals: bool = False,
) -> Sweeping:
    """Try the points of a document's sweep; see `sweep`. With `signals`, SIGINT and SIGTERM end it where it stands."""
    from ffspec.runner.sweeping.sweep import Errand
    from ffspec.runner.sweeping.sweep import sweep as make

    spec, space = sound_sweep(opened, allow)
    said = {
        "overrides": list(space.texts),
        "allow": sorted(allow),
        "arrays": data is not None,
        "shared": storage is not None or space.sweep.storage is not None,
        "name": opened.source.name,
    }
    errand = Errand(
        request=api.request_of(spec, data, out, opened, allow_outside=allow_outside),
        space=space,
        opened=opened,
        said=said,
        storage=storage or storage_of(space, allow_outside=allow_outside),
        signals=signals,
        anew=anew,
    )
    return make(errand, watcher)


def sound_sweep(opened: Document, allow: Collection[str] = ()) -> tuple[Spec, Space]:
    """Return the spec of a document without errors, and the points of its sweep, which have none either.

    Raises:
        SpecError: They have some, or there is no sweep.
    """
    spec = api.sound(opened, allow)
    if spec.sweep is None:
        message = "there must be a sweep to be made"
        hint = "add, say, sweep: {axes: {seed: [0, 1, 2]}, method: grid}"
        found = (Diagnostic(code="FF019", message=message, hint=hint),)
        raise SpecError(found, Review(opened).render([opened.locate(item) for item in found]))
    review = Review(opened, spec.allowed)
    space, wrong = api.points_of(opened, spec)
    review.stop(review.take(wrong))
    return spec, space


def storage_of(space: Space, *, allow_outside: bool) -> str | None:
    """Return the storage a spec names: a file in its folder, or whatever it says if that is allowed.

    Raises:
        SpecError: FF019, it leads out of the folder of the spec.
    """
    named = space.sweep.storage
    if named is None:
        return None
    inside = space.directory.resolve()
    if "://" not in named:
        file = (inside / named).resolve()
        if allow_outside or file.is_relative_to(inside):
            return str(file)
    elif allow_outside:
        return named
    message = "the storage a spec names must be a file in its folder"
    hint = "name it on the command line: --storage; or allow it: --allow-outside"
    raise SpecError((Diagnostic(code="FF019", message=message, path=("sweep", "storage"), hint=hint),))


def resume_sweep(
    directory: str | Path,
    *,
    storage: str | None = None,
    allow_outside: bool = False,
    watcher: Watcher | None = None,
    signals: bool = False,
) -> Sweeping:
    """Go on with a sweep that was stopped, to the same best as if it had not been.

    Raises:
        StorageError: It is no run directory of a sweep, it is in use, damaged, or something has changed.
        SpecError, DivergedError: As for `sweep`.
    """
    from ffspec import rundir
    from ffspec.runner.sweeping.places import header_of, refuse_links
    from ffspec.runner.sweeping.sweep import Errand
    from ffspec.runner.sweeping.sweep import sweep as make

    owned = rundir.reopen(Path(directory))
    try:
        refuse_links(owned.path)
        said = header_of(owned.path)
        _refuse_other(owned, said, shared=storage is not None)
        opened = _reopened(owned, said, allow_outside=allow_outside)
        spec, space = sound_sweep(opened, _texts(said, "allow"))
        _refuse_table(spec, opened, allow_outside=allow_outside)
        name = owned.path.absolute().parent.name
        request = replace(api.request_of(spec, None, None, opened, allow_outside=allow_outside), name=name)
        errand = Errand(
            request=request, space=space, opened=opened, said={}, storage=storage, signals=signals, inside=owned
        )
        return make(errand, watcher)
    finally:
        owned.close()


def _refuse_other(owned: RunDirectory, said: dict[str, Any], *, shared: bool) -> None:
    """Refuse a run directory that does not have all it takes to go on.

    Raises:
        StorageError: It is of no sweep, of arrays, or of a sweep that is shared.
    """
    if not said:
        raise StorageError(f"{owned.path} is no run directory of a sweep")
    if said.get("arrays"):
        raise StorageError(f"{owned.path} was made of arrays: call ffspec.sweep with them, and the same out")
    if said.get("shared") and not shared:
        raise StorageError(f"{owned.path} is of a sweep that is shared: give its command again, with its storage")


def _reopened(owned: RunDirectory, said: dict[str, Any], *, allow_outside: bool) -> Document:
    """Read the spec of a sweep's run directory anew."""
    from ffspec import rundir

    text, name = owned.read(rundir.SPEC).decode(), str(owned.path / rundir.SPEC)
    # What a log says is not to be trusted with where data may be read from.
    folder = owned.path / str(said.get("folder", ".")) if allow_outside else owned.path
    return document.parse(text, name, _texts(said, "overrides"), folder)


def _refuse_table(spec: Spec, opened: Document, *, allow_outside: bool) -> None:
    """Refuse to read a table from where the log of a sweep says.

    Raises:
        SpecError: FF038, the spec has a table, and nobody allowed it to be elsewhere.
    """
    if isinstance(spec.dataset.source, Table) and not allow_outside:
        message = f"a data file must lie in the folder of the run, found {spec.dataset.source.path}"
        hint = "allow it: --allow-outside, or allow_outside=True in Python"
        path = ("dataset", spec.dataset.source.name, "path")
        found = opened.locate(Diagnostic(code="FF038", message=message, path=path, hint=hint))
        raise SpecError((found,), Review(opened).render((found,)))


def _texts(said: dict[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of texts of a log; of what is none, nothing."""
    found = said.get(name)
    return tuple(str(item) for item in found) if isinstance(found, list) else ()
