"""The kinds of component a spec is made of: what each must be able to do, and where it may stand.

The components themselves are imported when a spec first needs one of their kind.
"""

from abc import abstractmethod
from dataclasses import dataclass
from math import ceil
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from ffspec.spec.base import Component, Family
from ffspec.spec.facts import Levels
from ffspec.spec.step import Call, Shape, Step, given

TargetForm: TypeAlias = Literal["index", "probability", "sign", "value"]
"""What the loss compares the output with: a class number of shape (B,), or numbers of the output's own shape: 0 or 1,
-1 or +1, or any."""
OutputForm: TypeAlias = Literal[
    "logits", "log_probabilities", "scores", "probability", "logit", "margin", "value", "distance", "log_rate"
]
"""What the loss takes the network's output for; a prediction is read off it accordingly."""
Interval: TypeAlias = Literal["epoch", "step"]


class Layer(Component):
    """What may stand in `layers`: knows what it makes of a shape."""

    @abstractmethod
    def as_step(self, shape: Shape) -> Step:
        """Return the step this layer becomes when it receives rows of `shape`.

        Raises:
            Misfit: it cannot take that shape.
        """


class ColumnLayer(Layer):
    """A layer that treats each column as what it is, and so can only stand where the columns are still apart."""

    exact: ClassVar[bool] = False
    """Whether the numbers must not have been changed either: they are codes."""

    @abstractmethod
    def of_columns(self, shape: Shape, levels: Levels | None) -> Step:
        """Return the step this layer becomes; `levels` says what each column is, if that is known."""

    @abstractmethod
    def levels_behind(self, levels: Levels) -> Levels:
        """Return what each feature of the output is; what is a part of an embedding counts as 1."""

    def as_step(self, shape: Shape) -> Step:
        """Return the step where all columns are numbers."""
        return self.of_columns(shape, None if shape[-1] is None else (0,) * shape[-1])


class Block(Component):
    """Layers under one name: the planner writes them out."""


class Init(Component):
    """How a parameter gets its first values."""


class Loss(Component):
    """How wrong an output is; the mean over the batch is minimised."""

    torch: ClassVar[str]
    target: ClassVar[TargetForm]
    output: ClassVar[OutputForm]

    def call(self) -> Call:
        """Return the torch call; a weight still says `balanced` where only the data can tell."""
        return Call(self.torch, given(self))


class Optimizer(Component):
    """How gradients become steps."""

    torch: ClassVar[str]

    def call(self) -> Call:
        """Return the torch call, for parameters without factors of their own."""
        return Call(f"optim.{self.torch}", {name: value for name, value in given(self).items() if name != "groups"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of training under one schedule."""

    call: Call
    interval: Interval
    length: int | None = None
    """Intervals until the next phase; None: to the end."""
    monitor: str | None = None
    """The measure a plateau is looked for in."""


@dataclass(frozen=True, slots=True)
class Length:
    """The length of a training in both units; steps are None where the rows are unknown."""

    epochs: int
    steps: int | None

    def of(self, interval: Interval) -> int | None:
        """Return the length in a unit; at least one, for PyTorch divides by it."""
        count = self.epochs if interval == "epoch" else self.steps
        return None if count is None else max(count, 1)

    def after(self, count: int, interval: Interval) -> "Length":
        """Return what is left after `count` intervals."""
        if self.steps is None or not self.epochs or not self.steps:
            return Length(self.epochs - count if interval == "epoch" else self.epochs, None)
        per_epoch = self.steps // self.epochs
        if interval == "epoch":
            return Length(self.epochs - count, self.steps - count * per_epoch)
        return Length(self.epochs - ceil(count / per_epoch), self.steps - count)


class Scheduler(Component):
    """How the learning rate changes while training; `interval` says what is counted: epochs or steps."""

    torch: ClassVar[str]
    length: ClassVar[str | None] = None
    """The argument that says how long the schedule is; left out, it is the whole training."""
    interval: Interval = Field("epoch", description="What is counted: epochs or optimizer steps.")

    def phases(self, total: Length) -> tuple[Phase, ...]:
        """Return the schedule for a training of length `total`."""
        arguments = {name: value for name, value in given(self).items() if name != "interval"}
        if self.length is not None:
            arguments.setdefault(self.length, total.of(self.interval))
        # OneCycleLR refuses to go on behind its end; the others have none, or go on as PyTorch has them.
        length = arguments.get("total_steps")
        return (Phase(call=Call(f"lr_scheduler.{self.torch}", arguments), interval=self.interval, length=length),)


AnyLayer = Annotated[Layer | Block, Family("layer", "ffspec.spec.layers:LAYERS")]
Initialiser = Annotated[Init, Family("initialiser", "ffspec.spec.inits:INITS")]
BiasInitialiser = Annotated[Init, Family("bias initialiser", "ffspec.spec.inits:VECTOR_INITS")]
AnyLoss = Annotated[Loss, Family("loss", "ffspec.spec.losses:LOSSES")]
AnyOptimizer = Annotated[Optimizer, Family("optimizer", "ffspec.spec.optimizers:OPTIMIZERS")]
AnyScheduler = Annotated[Scheduler, Family("scheduler", "ffspec.spec.schedulers:SCHEDULERS")]
