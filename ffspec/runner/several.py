"""One spec trained several times: from other seeds, on other parts of the rows; as one network where that can be."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pydantic import ValidationError

from ffspec import rundir
from ffspec.data import load_spec
from ffspec.diagnostics import Diagnostic, FfspecError, SpecError, StorageError
from ffspec.populations import LEAST
from ffspec.review import Review
from ffspec.rules import inspect
from ffspec.runner.population import groups, member_of, train_together
from ffspec.runner.population.together import divided
from ffspec.runner.record import status_of
from ffspec.runner.run import prepare, probed
from ffspec.runner.shelf import Shelf
from ffspec.seeds import derive
from ffspec.spec.dataset import Split
from ffspec.spec.generators import Generator
from ffspec.spec.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from ffspec.data import Loaded
    from ffspec.document import Document
    from ffspec.rundir import RunDirectory
    from ffspec.runner.loop import Row
    from ffspec.runner.population import Member, Trained
    from ffspec.runner.run import Request
    from ffspec.spec.root import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """What is trained again and again."""

    seeds: int | None = None
    """From how many seeds, the first that of the spec; None: from that one alone, which is cross-validated."""
    folds: int | None = None
    """With each seed, how many parts of the rows are tested on in turn; None: the split as it is."""
    resplit: bool = False
    """Whether each seed draws the rows of the splits too, and generated rows themselves."""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be.

        Raises:
            ValueError: One is no whole number from 2 to the most there may be, or there is none.
        """
        if self.seeds is None and self.folds is None:
            raise ValueError("there must be seeds, or folds")
        for name, value, most in (("seeds", self.seeds, 10_000), ("folds", self.folds, 1000)):
            if value is not None and (type(value) is not int or not 2 <= value <= most):
                raise ValueError(f"{name} must be a whole number from 2 to {most}, found {value!r}")


class Listener(Protocol):
    """Told what becomes of the trainings."""

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Rules have found something that does not stop the trainings."""

    def on_start(self, how: Repetition, members: Sequence[Member], together: int, reason: str | None) -> None:
        """Training is about to begin: of so many at once, or of one after another, for a reason."""

    def on_resume(self, done: int) -> None:
        """Of so many it is known already what becomes of them."""

    def on_damage(self, name: str) -> None:
        """The directory of one, or a checkpoint, is damaged; it is trained again, from what is whole."""

    def on_epoch(self, index: int, row: Row) -> None:
        """One has ended an epoch."""

    def on_member(self, done: int) -> None:
        """So many are done."""


class Silent:
    """A listener that says nothing."""

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Say nothing."""

    def on_start(self, how: Repetition, members: Sequence[Member], together: int, reason: str | None) -> None:
        """Say nothing."""

    def on_resume(self, done: int) -> None:
        """Say nothing."""

    def on_damage(self, name: str) -> None:
        """Say nothing."""

    def on_epoch(self, index: int, row: Row) -> None:
        """Say nothing."""

    def on_member(self, done: int) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Trainings that are to be made."""

    request: Request
    opened: Document
    """The document of the spec, in which findings are shown."""
    how: Repetition
    listener: Listener
    inside: RunDirectory | None = None
    """The run directory to go on in, open."""
    force: bool = False
    """Whether to go on although versions or data are not what they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """Trainings that are being made."""

    errand: Errand
    members: tuple[Member, ...]
    review: Review
    shelf: Shelf

    @property
    def directory(self) -> Path | None:
        """The run directory, if there is one."""
        return None if self.shelf.owned is None else self.shelf.owned.path

    def train(self) -> Iterator[Trained]:
        """Yield what becomes of each, in their order; what is known already is not trained again.

        Raises:
            InterruptedRunError: A signal has come.
        """
        listener = self.errand.listener
        listener.on_start(self.errand.how, self.members, *way(self.members))
        if self.errand.inside is not None:
            listener.on_resume(self.shelf.done)

        def observe(index: int, row: Row) -> None:
            listener.on_epoch(index, row)

        for done, one in enumerate(train_together(self.members, observe=observe, keeping=self.shelf), start=1):
            yield one
            listener.on_member(done)
            self.shelf.keeper.heed()

    def keep(self, one: Trained, more: Mapping[str, bytes] | None = None) -> None:
        """Write down what became of one, beside the usual files these."""
        self.shelf.add(one, more or {})

    def told_of(self, found: Sequence[Sequence[Diagnostic]]) -> None:
        """Tell what the trainings have shown, each thing once.

        Args:
            found: What each of them has.
        """
        noun = "fold" if self.errand.how.seeds is None else "seed" if self.errand.how.folds is None else "training"
        fresh = self.review.take(once(found, noun))
        self.errand.listener.on_findings(fresh, self.review)

    def end(self, name: str, content: Mapping[str, Any], *, ok: bool) -> None:
        """Write down what they came to together, unless a signal asks to stop.

        Raises:
            InterruptedRunError: A signal has come.
        """
        self.shelf.keeper.heed()
        owned = self.shelf.owned
        if owned is not None:
            owned.flush()
            owned.write_json(name, content)
            owned.write_json(rundir.STATUS, {"status": "done", "expectations_met": ok})


@contextmanager
def begun(errand: Errand) -> Iterator[Several]:
    """Have several trainings made, in a run directory if one is asked for; what ends them is written down there.

    Raises:
        SpecError: The data or the spec cannot be used.
        StorageError: The run directory cannot be written, or not be gone on with.
        InterruptedRunError: A signal has come.
    """
    request, listener = errand.request, errand.listener
    review = Review(errand.opened, request.spec.allowed)
    members = _members(errand, review)
    listener.on_findings(review.told, review)
    found = probed(members[0].spec, members[0].plan, members[0].loaded, review)
    review.stop(found)
    listener.on_findings(found, review)
    owned = errand.inside
    if owned is None and request.out is not None:
        owned = rundir.create(request.out, request.name)
    try:
        shelf = Shelf(owned, members, seeds=errand.how.seeds is not None, damaged=listener.on_damage)
        if errand.inside is None:
            shelf.begin(request, {**asdict(errand.how), "arrays": request.arrays is not None})
        else:
            shelf.go_on(force=errand.force)
        with shelf.keeper.heeding_signals() if request.signals else nullcontext():
            yield Several(errand=errand, members=members, review=review, shelf=shelf)
    except FfspecError as error:
        if owned is not None:
            with suppress(StorageError):
                owned.write_json(rundir.STATUS, status_of(error))
        raise
    finally:
        if owned is not None:
            owned.close()


def way(members: Sequence[Member]) -> tuple[int, str | None]:
    """Return how many members are trained at once, at most, and why one after another if they are."""
    found = groups(members)
    chunks = [chunk for group in found if group.reason is None for chunk in divided(members, group.indices)]
    at_once = max((len(chunk) for chunk in chunks), default=1)
    if at_once > 1:
        return at_once, None
    if len(found) == 1 and found[0].reason is not None:
        return 1, found[0].reason
    if len(members) < LEAST:
        return 1, "as one network they would be no faster"
    alike = max(len(group.indices) for group in found)
    return 1, "their splits differ in size" if alike < LEAST else "one alone fills the cache"


def once(found: Sequence[Sequence[Diagnostic]], noun: str) -> Iterator[Diagnostic]:
    """Yield what was found in several trainings, each thing once, in the words of the first that has it."""
    places = [dict.fromkeys((item.code, item.path) for item in one) for one in found]
    firsts = {(item.code, item.path): item for one in reversed(found) for item in reversed(one)}
    for key in dict.fromkeys(key for one in places for key in one):
        count, item = sum(key in one for one in places), firsts[key]
        among = f"in every {noun}" if count == len(places) else f"in {count} of {len(places)} {noun}s"
        told = {one.message for training in found for one in training if (one.code, one.path) == key}
        among += "; the figures are of the first" if len(told) > 1 else ""
        yield replace(item, message=f"{item.message} ({among})")


def of_seed(spec: Spec, seed: int) -> Spec:
    """Return the spec of another seed, whose rows and splits are those of the spec as it is."""
    dataset = spec.dataset
    source, split = dataset.source, dataset.split
    if isinstance(source, Generator) and source.random_state is None:
        source = source.model_copy(update={"random_state": derive(spec.seed, "data", bits=32)})
    given = isinstance(source, Table) and (source.split_column is not None or bool(source.files))
    options = Split.model_construct() if split is None and not given else split
    if isinstance(options, Split) and options.shuffle and options.seed is None:
        split = options.model_copy(update={"seed": spec.seed})
    kept = type(dataset).model_validate({**dict(dataset), "source": source, "split": split})
    return spec.model_copy(update={"seed": seed, "dataset": kept})


def of_fold(spec: Spec, folds: int, fold: int) -> Spec:
    """Return the spec of one fold: its share of rows to validate on is of the rows the fold leaves.

    Raises:
        SpecError: FF035, the source says itself which rows are tested on, or its rows are streamed.
    """
    split = spec.dataset.split if isinstance(spec.dataset.split, Split) else Split.model_construct()
    divided = split.model_copy(update={"train": None, "test": None, "folds": folds, "fold": fold})
    dataset = spec.dataset.model_copy(update={"split": divided})
    try:
        checked = type(spec.dataset).model_validate(dict(dataset))
    except ValidationError as error:
        message = f"the rows must be divided into folds, but {error.errors()[0]['loc'][-1]} {error.errors()[0]['msg']}"
        hint = None
        if getattr(dataset.source, "streaming", False):
            message = (
                "rows that are streamed cannot be divided into folds: which split a row is in is decided by groups"
            )
            hint = "leave streaming out, if they fit; or train from several seeds: --seeds 10"
        raise SpecError((Diagnostic(code="FF035", message=message, path=("dataset",), hint=hint),)) from None
    return spec.model_copy(update={"dataset": checked})


def _refuse_folds(spec: Spec, how: Repetition, review: Review) -> None:
    """Refuse rows that cannot be divided into folds, where the spec says so.

    Raises:
        SpecError: They cannot.
    """
    try:
        if how.folds is not None:
            of_fold(spec, how.folds, 1)
    except SpecError as error:
        review.take(error.diagnostics)
        review.stop()


def _members(errand: Errand, review: Review) -> tuple[Member, ...]:
    """Return the member of each seed, or of each fold of it: with rows of its own, or with those of the spec's seed."""
    request, how = errand.request, errand.how
    _refuse_folds(request.spec, how, review)
    spec, known, made = request.spec, dict[int, "Loaded"](), []
    for seed in range(spec.seed, spec.seed + (how.seeds or 1)):
        # The rows of a single seed are drawn as its run draws them: there is nothing to be kept as it is.
        own = spec.model_copy(update={"seed": seed}) if how.resplit or how.seeds is None else of_seed(spec, seed)
        for fold in range(1, (how.folds or 1) + 1):
            one = own if how.folds is None else of_fold(own, how.folds, fold)
            if fold not in known:
                known[fold] = _first_rows(one if how.folds is not None else spec, request, review, first=fold == 1)
            elif how.resplit and seed != spec.seed:
                known[fold] = load_spec(one, request.arrays, allow_outside=request.allow_outside)
            made.append(member_of(one, known[fold]))
    return tuple(made)


def _first_rows(spec: Spec, request: Request, review: Review, *, first: bool) -> Loaded:
    """Return the rows of a fold, or of the spec as it is; of another fold is only told what the first has not shown.

    Raises:
        SpecError: They cannot be used.
    """
    if first:
        return prepare(replace(request, spec=spec), review)[0]
    try:
        loaded = load_spec(spec, request.arrays, allow_outside=request.allow_outside)
    except SpecError as error:
        review.take(error.diagnostics)
        review.stop()
        raise
    told = {(item.code, item.path) for item in review.told}
    review.take(item for item in inspect(dict(spec), loaded) if (item.code, item.path) not in told)
    review.stop()
    return loaded
