"""The library, continued: one spec trained several times, on other rows or from other seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ffspec import document
from ffspec.api import Source, open_document, request_of, sound
from ffspec.review import Review
from ffspec.spec.root import Spec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from ffspec.document import Document
    from ffspec.runner.folds import CrossValidation
    from ffspec.runner.repeats import Listener, Repeated, Repetition
    from ffspec.runner.run import Observer


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
    observer: Callable[[int], Observer] | None = None,
    signals: bool = False,
) -> CrossValidation:
    """Train the network of a document once for each fold; see `cross_validate`."""
    from ffspec.runner import folds as folding

    spec = sound(opened, allow)
    seeded = spec if seed is None else spec.model_copy(update={"seed": seed})
    request = replace(request_of(seeded, data, out, opened, allow_outside=allow_outside), signals=signals)
    return folding.cross_validate(request, opened, folds, observer)


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
        SpecError: The spec is not valid, or its data cannot be used.
        DivergedError: The training of every seed diverged.
        StorageError: A run directory cannot be written.
    """
    from ffspec.runner.repeats import Repetition

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
) -> Repeated:
    """Train the network of a document from several seeds; see `repeat`."""
    from ffspec.runner import repeats

    spec = sound(opened, allow)
    seeded = spec if seed is None else spec.model_copy(update={"seed": seed})
    request = request_of(seeded, data, out, opened, allow_outside=allow_outside)
    return repeats.repeat(request, Review(opened, spec.allowed), how, listener)
