"""Members that are trained as one network, from the first step to the last of each.

Shapes: M members, P parameters of a member.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from math import isfinite
from typing import TYPE_CHECKING, Any

import torch

from ffspec.builder.population.losses import MemberLosses
from ffspec.builder.population.network import Network
from ffspec.builder.population.optimizers import Optimizer
from ffspec.diagnostics import DivergedError
from ffspec.planner import walk
from ffspec.populations import DRAWN
from ffspec.runner.loop import refuse_wild
from ffspec.runner.patience import Waiting
from ffspec.runner.population.evaluating import Evaluation
from ffspec.runner.population.rates import Rates, kinds_of, rates_of
from ffspec.runner.population.rows import Rows, is_ordered
from ffspec.runner.population.watches import Watches
from ffspec.runner.setup import watched_of
from ffspec.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from torch import Tensor

    from ffspec.runner.evaluation import Measures
    from ffspec.runner.keeper import Keeper
    from ffspec.runner.loop import Row
    from ffspec.runner.population.members import Observe
    from ffspec.runner.setup import Setup

IDLE = 4
"""When one in so many members has ended, those are left behind; until then they are computed in vain."""


NONE = torch.Generator()
"""The stream of members that draw nothing: to seed one for each takes its time."""


@dataclass(slots=True, kw_only=True, eq=False)
class Course:
    """A member on its way."""

    index: int
    """Its place among all members."""
    setup: Setup
    rates: Rates
    order: torch.Generator
    drawn: torch.Generator
    """What it draws its dropout from."""
    waiting: Waiting | None
    history: list[Row] = field(default_factory=list)
    moved: dict[str, list[float]] = field(default_factory=dict)
    """How far some steps moved the weights of every linear."""
    error: DivergedError | None = None
    ended: bool = False


def courses_of(indices: Sequence[int], setups: Sequence[Setup]) -> list[Course]:
    """Return members at their start."""
    drops = any(step.call.target in DRAWN for step in walk(setups[0].plan.steps)) if setups else False
    made = []
    for index, setup, rates in zip(indices, setups, rates_of(setups), strict=True):
        seed, stopping = setup.spec.seed, setup.spec.training.early_stopping
        made.append(
            Course(
                index=index,
                setup=setup,
                rates=rates,
                order=_stream(seed, "shuffle") if is_ordered(setup.splits["train"].rows, setup.spec.training) else NONE,
                drawn=_stream(seed, "dropout") if drops else NONE,
                waiting=None if stopping is None else Waiting(stopping),
            )
        )
    return made


def _stream(seed: int, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(derive(seed, name))


class Chunk:
    """Trains members as one network.

    Args:
        courses: The members.
        observe: Told of every epoch of every member.
        lean: Whether nothing is evaluated after an epoch but what is monitored.
        keeper: Knows of signals, which end the training after a step; some of the steps are then looked at.
    """

    def __init__(
        self, courses: list[Course], observe: Observe | None, *, lean: bool = False, keeper: Keeper | None = None
    ) -> None:
        self._observe = observe
        self._watch = None if keeper is None else Watches(courses[0].setup.network, keeper)
        self._lean = lean
        self._arrange(courses)
        network = self._network
        self._optimizer = Optimizer(self._setup.spec.optimizer.name, network.blocks, network.flat, network.gradient)
        self._mean = None if self._setup.spec.training.ema is None else network.flat.clone()
        stops = self._setup.spec.training.early_stopping is not None
        self._best = {name: one.clone() for name, one in network.tensors.items()} if stops else None
        self._step, self._epochs = 0, 0

    def _arrange(self, courses: list[Course]) -> None:
        """Make all that follows from who is trained."""
        self._courses = courses
        setups = [course.setup for course in courses]
        self._setup = setup = setups[0]
        self._network = Network(setup.plan.steps, [one.network for one in setups], [course.drawn for course in courses])
        if kinds := kinds_of(setup):
            self._network.blocks.divide(kinds)
        index = setup.judge.spec.target == "index"
        judge = setup.judge
        self._losses = MemberLosses(
            setup.plan.loss, judge.loss, index=index, members=judge.members, independent=judge.independent
        )
        train = [one.splits["train"] for one in setups]
        self._rows = Rows(train, setup.spec.training, [course.order for course in courses])
        self._evaluation = Evaluation(setups, watched_of(setup, lean=self._lean), self._losses)
        self._distinct = list({id(course.rates): course.rates for course in courses}.values())
        self._rates = self._distinct if len(self._distinct) == 1 else [course.rates for course in courses]
        self._units = [one.judge.unit for one in setups]
        training = setup.spec.training
        self._clips = training.clip_grad_norm is not None or training.clip_grad_value is not None
        self._left = sum(not course.ended for course in courses)
        self._shortest = min(one.plan.epochs for one in setups)
        waits = any(course.waiting is not None for course in courses)
        self._quiet = not (waits or self._evaluation.names or any(rates.changing for rates in self._distinct))
        """Whether an epoch changes nothing but weights and histories."""

    @torch.no_grad()
    def train(self, until: int | None = None) -> None:
        """Train every member to its end, or to the end of an epoch, from where it stands.

        The network of one that has come to its end has what it has learnt.
        """
        for epoch in count(self._epochs + 1):
            if epoch > self._shortest:
                self._leave([course for course in self._going() if course.setup.plan.epochs < epoch])
            if epoch - 1 == until or not self._left:
                return
            self._narrow()
            rows, self._epochs = self._epoch(epoch), epoch
            if self._quiet and self._left == len(rows) and isfinite(sum(row["loss"] + row["lr"] for row in rows)):
                for course, row in zip(self._courses, rows, strict=True):
                    course.history.append(row)
                if self._observe is None:
                    continue
            else:
                with self._averaged():
                    self._take_note(rows, self._evaluation.measures(self._network))
            self._leave([course for course in self._going() if self._is_over(course)])

    def _going(self) -> list[Course]:
        """Return the members that have not ended."""
        return [course for course in self._courses if not course.ended]

    @torch.no_grad()
    def end(self, indices: Container[int]) -> None:
        """End members where they stand, by their places among all."""
        self._leave([course for course in self._going() if course.index in indices])

    def measures(self, names: Sequence[str]) -> dict[int, dict[str, Measures] | DivergedError]:
        """Return what each member that has not ended reaches on some splits now, by its place among all."""
        found = Evaluation([course.setup for course in self._courses], names, self._losses)
        with torch.no_grad(), self._averaged():
            pairs = zip(self._courses, found.measures(self._network), strict=True)
            return {course.index: measures for course, measures in pairs if not course.ended}

    def _epoch(self, epoch: int) -> list[Row]:
        """Take every step of one epoch, and return the row of each member's history."""
        network, losses_of, clips, watch = self._network, self._losses.with_gradient, self._clips, self._watch
        if watch is not None:
            watch.before_epoch(epoch, network)
        self._tell()
        lrs = [rates.lr for rates in self._rates]
        total, moved = torch.zeros(len(self._courses), dtype=torch.float64), False
        counted: float | Tensor = 0
        changing = [rates for rates in self._distinct if rates.changing]
        for x, target, weight, size in self._rows.epoch():
            moving = [rates for rates in changing if rates.per_step]
            for rates in moving:
                rates.before_step(self._step)
            if moving or moved:
                self._tell()
            losses, gradient = losses_of(network.forward(x), target, weight)
            network.backward(gradient)
            if clips:
                self._clip()
            self._optimizer.step()
            counted = counted + _added(total, losses, size, weight)
            for rates in moving:
                rates.after_step()
            if self._mean is not None:
                self._average(self._mean)
            if watch is not None:
                watch.after_step(network, self._courses)
            moved = bool(moving)
            self._step += 1
        counts = torch.as_tensor(counted, dtype=torch.float64)
        means = (total / counts.where(counts > 0, 1.0)).tolist()
        lrs = lrs if len(lrs) == len(means) else lrs * len(means)
        parts = zip(lrs, means, self._units, strict=True)
        return [{"epoch": epoch, "lr": lr, "loss": loss * unit} for lr, loss, unit in parts]

    def _tell(self) -> None:
        """Let the optimizer know the numbers that hold now."""
        kinds = range(self._network.blocks.kinds)
        self._optimizer.tell([rates.groups[kind] for kind in kinds for rates in self._rates])

    def _number(self, of: Callable[[Any], float]) -> float | Tensor:
        """Return a number of each member's loop: a float if it is the same for all, else flat."""
        values = [of(course.setup.spec.training) for course in self._courses]
        alike = all(value == values[0] for value in values)
        return values[0] if alike else self._network.blocks.spread(values, self._network.flat)

    def _clip(self) -> None:
        training, gradient = self._setup.spec.training, self._network.gradient
        if training.clip_grad_value is not None:
            most: Any = self._number(lambda own: float(own.clip_grad_value))
            torch.clamp(gradient, min=-most, max=most, out=gradient)
        if training.clip_grad_norm is not None:
            blocks = self._network.blocks
            bounds = torch.tensor([course.setup.spec.training.clip_grad_norm for course in self._courses])
            blocks.scale(gradient, (bounds.to(gradient) / (blocks.norms(gradient) + 1e-6)).clamp(max=1.0))

    def _average(self, mean: Tensor) -> None:
        """Take the weights after a step into their moving averages, as `Average` does."""
        most = (1 + self._step) / (10 + self._step)
        mean.lerp_(self._network.flat, self._number(lambda own: 1 - min(own.ema, most)))

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Let the network have the averages for a block, where there are some."""
        if self._mean is None:
            yield
            return
        flat = self._network.flat
        trained = flat.clone()
        flat.copy_(self._mean)
        yield
        flat.copy_(trained)

    def _take_note(self, rows: Sequence[Row], found: Sequence[Any]) -> None:
        """Write an epoch into the histories, count it in the schedules, and keep the weights that are the best."""
        counted, improved = {}, []
        for place, (course, row, measures) in enumerate(zip(self._courses, rows, found, strict=True)):
            if course.ended:
                continue
            if not isfinite(row["loss"]) or not isfinite(row["lr"]) or isinstance(measures, DivergedError):
                course.error = _error_of(row, measures)
                continue
            for name, split in measures.items():
                row |= {f"{name}.{key}": value for key, value in split.items()}
            course.history.append(row)
            counted[id(course.rates)] = (course.rates, row)
            if course.waiting is not None and course.waiting.improved(row):
                improved.append(place)
        for rates, row in counted.values():
            rates.after_epoch(row)
        if self._best is not None and improved:
            places = torch.tensor(improved)
            for name, tensor in self._network.tensors.items():
                self._best[name][places] = tensor[places]

    def _is_over(self, course: Course) -> bool:
        """Let whoever observes know of an epoch, and return whether it was the member's last."""
        if course.error is not None:
            return True
        stopped = self._observe is not None and bool(self._observe(course.index, course.history[-1]))
        return stopped or (course.waiting is not None and course.waiting.exhausted)

    def _leave(self, courses: Sequence[Course]) -> None:
        """End members: each one's own network gets its weights, of the best epoch where that is asked for."""
        if not courses:
            return
        places = {id(course): place for place, course in enumerate(self._courses)}
        with self._averaged():
            tensors = self._network.tensors if self._best is None else self._best
            self._network.put(tensors, [places[id(course)] for course in courses])
        for course in courses:
            course.rates.end()
            course.ended = True
        self._left -= len(courses)
        going = {id(course.rates) for course in self._courses if not course.ended}
        self._distinct = [rates for rates in self._distinct if id(rates) in going]

    def _narrow(self) -> None:
        """Leave members behind that have ended, when they are many."""
        if self._left * IDLE > len(self._courses) * (IDLE - 1):
            return
        left = [place for place, course in enumerate(self._courses) if not course.ended]
        old, places = self._network, torch.tensor(left)
        self._arrange([self._courses[place] for place in left])
        for name, tensor in self._network.tensors.items():
            tensor.copy_(old.tensors[name][places])
        network = self._network
        self._optimizer = self._optimizer.taken(network.blocks, network.flat, network.gradient, places)
        self._mean = None if self._mean is None else old.blocks.taken(self._mean, places)
        if self._best is not None:
            self._best = {name: one[places] for name, one in self._best.items()}


def _added(total: Tensor, losses: Tensor, rows: int, weight: Tensor | None) -> float | Tensor:
    """Add the losses of a step to those of an epoch, and return how many rows they are of, or what these weigh."""
    if weight is None:
        total.add_(losses, alpha=rows)
        return rows
    counts = weight.double().sum(dim=1)
    total.addcmul_(losses.double(), counts)
    return counts


def _error_of(row: Row, measures: Any) -> DivergedError:
    """Return what is wrong with an epoch, as a single run would say it."""
    try:
        refuse_wild(row)
    except DivergedError as error:
        return error
    found: DivergedError = measures
    return found
