"""The library, continued: one spec trained several times, on other rows or from other seeds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffspec import document, rundir
from ffspec.api import Source, open_document, request_of, sound
from ffspec.diagnostics import StorageError
from ffspec.spec.root import Spec

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ffspec.document import Document
    from ffspec.rundir import RunDirectory
    from ffspec.runner.folds import CrossValidation
    from ffspec.runner.repeats import Repeated
    from ffspec.runner.run import Request
    from ffspec.runner.several import Errand, Listener, Repetition


def cross_validate(  # noqa: PLR0913 - each is one thing a caller may want to set
    source: Source,
    data: Any = None,
    *,
    folds: int = 5,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    out: str | Path | None = None,
    allow: Collection[str] = (),
    allow_outside: bool = False,
) -> CrossValidation:
    """Train a spec's network once for each fold, so that every row is predicted by a network that has not seen it.

    Where that can be, the networks are trained as one; each is then what its own run would be but for rounding.

    Args:
        source: A spec, a path, or YAML text. Its split's `test` is replaced by the folds; a share to validate on is of
            the rows a fold leaves.
        data: As for `run`: `(X, y)`.
        folds: The number of folds.
        overrides: What to change, as `path=value`; only for a path or text.
        seed: The seed in place of the spec's.
        out: The folder to make a run directory in, with one inside for each fold; none is made if left out.
        allow: The codes of rules to let through: `["FF110"]`.
        allow_outside: Whether data files may lie outside the spec's folder.

    Raises:
        ValueError: `folds` is no whole number from 2 on.
        SpecError: The spec is not valid, its data cannot be used, or not be divided so.
        DivergedError: A loss or an output was not finite.
        StorageError: A run directory cannot be written.
    """
    opened = document.of(source) if isinstance(source, Spec) else open_document(source, overrides)
    return cross_validate_document(
        opened, data, folds=folds, seed=seed, out=out, allow=allow, allow_outside=allow_outside
    )


def cross_validate_document(  # noqa: PLR0913 - as for `cross_validate`
    opened: Document,
    data: Any = None,
    *,
    folds: int,
    seed: int | None = None,
    out: str | Path | None = None,
    allow: Collection[str] = (),
    allow_outside: bool = False,
    listener: Listener | None = None,
    signals: bool = False,
) -> CrossValidation:
    """Train the network of a document once for each fold; see `cross_validate`."""
    from ffspec.runner import folds as folding
    from ffspec.runner.several import Repetition

    spec = _seeded(opened, seed, allow)
    request = replace(request_of(spec, data, out, opened, allow_outside=allow_outside), signals=signals)
    return folding.cross_validate(_errand(request, opened, Repetition(folds=folds), listener))


def repeat(  # noqa: PLR0913 - each is one thing a caller may want to set
    source: Source,
    data: Any = None,
    *,
    seeds: int = 10,
    folds: int | None = None,
    resplit: bool = False,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    out: str | Path | None = None,
    allow: Collection[str] = (),
    allow_outside: bool = False,
) -> Repeated:
    """Train a spec's network from several seeds, and return mean, spread and interval of what it reaches.

    Where that can be, the networks are trained as one; each is then what its own run would be but for rounding.

    Args:
        source: A spec, a path, or YAML text.
        data: As for `run`.
        seeds: How many: the spec's, and those behind it.
        folds: With each seed, train once for each of so many parts of the rows; what it reaches is the mean over them.
        resplit: Whether the rows of the splits are drawn anew for each seed too.
        overrides: What to change, as `path=value`; only for a path or text.
        seed: The first seed in place of the spec's.
        out: The folder to make a run directory in, with one inside for each seed; none is made if left out.
        allow: The codes of rules to let through: `["FF110"]`.
        allow_outside: Whether data files may lie outside the spec's folder.

    Raises:
        ValueError, SpecError: A number is not from 2 on; the spec is not valid, or its data cannot be used.
        DivergedError: The training of every seed diverged.
        StorageError: A run directory cannot be written.
    """
    from ffspec.runner.several import Repetition

    opened = document.of(source) if isinstance(source, Spec) else open_document(source, overrides)
    how = Repetition(seeds=seeds, folds=folds, resplit=resplit)
    return repeat_document(opened, data, how, seed=seed, out=out, allow=allow, allow_outside=allow_outside)


def repeat_document(  # noqa: PLR0913 - as for `repeat`
    opened: Document,
    data: Any,
    how: Repetition,
    *,
    seed: int | None = None,
    out: str | Path | None = None,
    allow: Collection[str] = (),
    allow_outside: bool = False,
    listener: Listener | None = None,
    signals: bool = False,
) -> Repeated:
    """Train the network of a document from several seeds; see `repeat`."""
    from ffspec.runner import repeats

    spec = _seeded(opened, seed, allow)
    request = replace(request_of(spec, data, out, opened, allow_outside=allow_outside), signals=signals)
    return repeats.repeat(_errand(request, opened, how, listener))


def is_of_several(directory: str | Path) -> bool:
    """Return whether a run directory is of several seeds or folds."""
    return (Path(directory) / rundir.SEVERAL).is_file()


def resume_several(
    directory: str | Path,
    *,
    force: bool = False,
    allow_outside: bool = False,
    listener: Listener | None = None,
    signals: bool = False,
) -> Repeated | CrossValidation:
    """Go on with a training from several seeds, or a cross-validation, that was stopped; to the same bits.

    Networks that are done are read from their directories; the others are trained.

    Args:
        directory: The run directory.
        force: Whether to go on although files, versions or the data are not what they were.
        allow_outside: Whether data files may lie outside the run directory, as a table's do.
        listener: Told what happens.
        signals: Whether SIGINT and SIGTERM end the training, to be gone on with.

    Raises:
        StorageError: It is no such directory, it is in use, damaged, or something it depends on has changed.
        SpecError, DivergedError: As for `repeat` and `cross_validate`.
    """
    from ffspec.runner import folds, repeats

    owned = rundir.reopen(Path(directory))
    try:
        how = _how(owned)
        opened = document.load(owned.path / rundir.RESOLVED)
        request = replace(request_of(sound(opened), None, None, opened, allow_outside=allow_outside), signals=signals)
        errand = replace(_errand(request, opened, how, listener), inside=owned, force=force)
        return folds.cross_validate(errand) if how.seeds is None else repeats.repeat(errand)
    finally:
        owned.close()


def _seeded(opened: Document, seed: int | None, allow: Collection[str]) -> Spec:
    """Return the spec of a document without errors, with another seed if one is given."""
    spec = sound(opened, allow)
    return spec if seed is None else spec.model_copy(update={"seed": seed})


def _errand(request: Request, opened: Document, how: Repetition, listener: Listener | None) -> Errand:
    from ffspec.runner.several import Errand, Silent

    return Errand(request=request, opened=opened, how=how, listener=listener or Silent())


def _how(owned: RunDirectory) -> Repetition:
    """Return of how many seeds and folds a run directory is.

    Raises:
        StorageError: It does not say that, or was made of arrays.
    """
    from ffspec.runner.several import Repetition

    try:
        said = json.loads(owned.read(rundir.SEVERAL))
        if said["arrays"]:
            raise StorageError(f"{owned.path} was made of arrays, which are not kept: train again with them")
        return Repetition(seeds=said["seeds"], folds=said["folds"], resplit=bool(said.get("resplit")))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise StorageError(f"{owned.path / rundir.SEVERAL} is damaged") from None
