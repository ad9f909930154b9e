"""Training the points of a sweep: those of equal shape as one population, the others one after another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ffspec import document
from ffspec.data import load_spec
from ffspec.diagnostics import Diagnostic, Severity, SpecError
from ffspec.points import BadPoint
from ffspec.review import Review
from ffspec.rules import examine
from ffspec.rules.points import unchosen
from ffspec.runner.population import groups, member_of, train_in_stages, train_together
from ffspec.runner.record import fingerprint
from ffspec.runner.sweeping.halving import kinds, room
from ffspec.runner.sweeping.trials import Trial
from ffspec.spec.base import to_plain
from ffspec.spec.training import Checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ffspec.data import Loaded
    from ffspec.points import Point, Space
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.population import Member, Trained
    from ffspec.runner.sweeping.halving import Bracket, Kind
    from ffspec.spec.root import Spec

CHOOSING = "validation"
"""The split a sweep chooses by: it looks at no other."""

DIVIDING = frozenset({"dataset", "recipe", "seed"})
"""The axes that may decide which rows there are."""

HELD = 2**29
"""Bytes of rows that differ from point to point, as where the seed divides them, that are held at a time."""


@dataclass
class Rows:
    """The rows of the points: read once for all points that have the same."""

    arrays: Any = None
    allow_outside: bool = False
    held: int = 0
    """The bytes of all rows that are held, beside the first."""
    _loaded: dict[str, Loaded] = field(default_factory=dict)
    _same: dict[str, Loaded] = field(default_factory=dict)

    def of(self, spec: Spec) -> Loaded:
        """Return the rows of a spec.

        Raises:
            SpecError: They cannot be used.
        """
        known = self._loaded.get(self._key(spec))
        return known or self.keep(spec, load_spec(spec, self.arrays, allow_outside=self.allow_outside))

    def keep(self, spec: Spec, loaded: Loaded) -> Loaded:
        """Keep the rows of a spec, and return them, or the same that were there before.

        Whether the seed decides about the rows, only the rows can tell; a population wants to know that they are one.
        """
        first = self._same.setdefault(digest_of(loaded), loaded)
        if first is loaded and len(self._same) > 1:
            self.held += sum(split.x.nbytes + split.y.nbytes for split in loaded.splits.values())
        self._loaded[self._key(spec)] = first
        return first

    def let_go(self) -> None:
        """Forget all rows."""
        self.held = 0
        self._loaded.clear()
        self._same.clear()

    def _key(self, spec: Spec) -> str:
        fixed = isinstance(self.arrays, Mapping)
        wants = [spec.loss.target, list(spec.metrics or ()), list(spec.checks.bounds), list(spec.checks.improving)]
        said = [to_plain(spec.dataset), None if fixed else spec.seed, wants, spec.training.precision == "float64"]
        return json.dumps(said, sort_keys=True)


def digest_of(loaded: Loaded) -> str:
    """Return what identifies the rows, their types and what they mean."""
    types = {name: (str(split.x.dtype), str(split.y.dtype)) for name, split in loaded.splits.items()}
    said = json.dumps(fingerprint(loaded), sort_keys=True, default=str)
    return hashlib.blake2b(f"{said} {types} {loaded.facts}".encode()).hexdigest()


@dataclass(frozen=True)
class Ground:
    """What the points of a sweep are made of."""

    space: Space
    rows: Rows
    elapsed: Callable[[], float]
    """The seconds the sweep has taken so far."""

    def member(self, point: Point) -> Member:
        """Return what is trained at a point.

        Raises:
            SpecError: Its spec, or its rows, cannot be used.
        """
        try:
            spec = self.space.spec(point)
        except BadPoint as bad:
            raise SpecError(bad.faults) from None
        loaded = self.rows.of(spec)
        _refuse(spec, examine(dict(spec), loaded.facts))
        if CHOOSING not in loaded.splits:
            raise SpecError((unchosen(self.space),))
        made = member_of(spec, loaded)
        # After every epoch it measures what decides, and nothing else: metrics may take longer than the training.
        named = tuple(name for name in (self.space.sweep.metric.partition(".")[2],) if name != "loss")
        # Nor is it fitted anew on the rows that decide: the best will be.
        training = made.spec.training.model_copy(update={"refit": False})
        changes = {"metrics": named, "checks": Checks.model_construct(), "training": training}
        slim = made.spec.model_copy(update=changes)
        return replace(made, spec=slim)

    def kinds(self) -> tuple[Kind, ...]:
        """Return the brackets of hyperband."""
        standing = self.member({})
        shared = not any(name.partition(".")[0] in DIVIDING for name in self.space.axes)
        return kinds(standing.plan.epochs, room(standing, shared=shared))

    def train(self, points: Mapping[int, Point], bracket: Bracket | None = None) -> Iterator[Trial]:
        """Train points, and yield what became of each as soon as it is known; not in their order.

        Args:
            points: The points by number.
            bracket: What compares them, and ends some of them early.
        """
        members: dict[int, Member] = {}
        for number, point in points.items():
            try:
                members[number] = self.member(point)
            except SpecError as error:
                yield self._failed(number, point, error)
            if self.rows.held > HELD and bracket is None:
                yield from self._train(members, points)
                members = {}
                self.rows.let_go()
        yield from self._train(members, points) if bracket is None else self._compare(members, points, bracket)
        if self.rows.held > HELD:
            self.rows.let_go()

    def _compare(self, members: Mapping[int, Member], points: Mapping[int, Point], bracket: Bracket) -> Iterator[Trial]:
        """Train members that are compared with one another on the way."""
        numbers = list(members)

        def choose(epoch: int, reached: Mapping[int, dict[str, Measures]]) -> list[int]:
            stopped = bracket.choose(epoch, {numbers[index]: found[CHOOSING] for index, found in reached.items()})
            return [index for index, number in enumerate(numbers) if number in stopped]

        for index, one in train_in_stages(list(members.values()), bracket.rungs, choose, splits=(CHOOSING,)):
            yield self._trial(numbers[index], points[numbers[index]], one)

    def _train(self, members: Mapping[int, Member], points: Mapping[int, Point]) -> Iterator[Trial]:
        """Train members, those of each group together."""
        numbers = list(members)
        for group in groups(list(members.values())):
            of_group = [numbers[index] for index in group.indices]
            trained = train_together([members[number] for number in of_group], splits=(CHOOSING,), lean=True)
            for number, one in zip(of_group, trained, strict=True):
                yield self._trial(number, points[number], one)

    def _trial(self, number: int, point: Point, one: Trained) -> Trial:
        measures = one.after.get(CHOOSING, {})
        name = self.space.sweep.metric.partition(".")[2]
        error = None if one.error is None else str(one.error)
        if error is None and name not in measures:
            error = f"{self.space.sweep.metric} is undefined on these rows"
        return Trial(
            number=number,
            point=point,
            value=measures.get(name),
            measures=measures,
            epochs=len(one.history),
            at=self.elapsed(),
            error=error,
        )

    def _failed(self, number: int, point: Point, error: SpecError) -> Trial:
        message = "; ".join(item.message for item in error.diagnostics)
        return Trial(number=number, point=point, value=None, measures={}, epochs=0, at=self.elapsed(), error=message)


def _refuse(spec: Spec, found: Sequence[Diagnostic]) -> None:
    """Refuse what a run would refuse.

    Raises:
        SpecError: With the errors.
    """
    review = Review(document.of(spec), spec.allowed)
    errors = tuple(item for item in review.take(found) if item.severity is Severity.ERROR)
    if errors:
        raise SpecError(errors)
