"""How the network is trained, and what must hold afterwards."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from ffspec.spec.base import Either, Node, Several, require

Measure = Annotated[str, Field(description="A split and the loss or a metric on it, such as test.loss.")]


class EarlyStopping(Node):
    """Stop when the monitored measure has stopped improving, and go back to the best weights."""

    monitor: Measure = "validation.loss"
    patience: int = Field(10, ge=0, le=1_000_000, description="Epochs without improvement before it stops.")
    min_delta: float = Field(0.0, ge=0, le=1e6, description="The smallest change that is an improvement.")


class Checkpoint(Node):
    """When the whole state of the training is kept in the run directory, so that it can be resumed to the same bits."""

    epochs: int | None = Field(None, ge=1, le=10_000_000, description="After every so many epochs.")
    steps: int | None = Field(None, ge=1, le=1_000_000_000, description="After every so many steps.")
    seconds: float | None = Field(None, gt=0, le=1e9, description="When so many seconds have passed.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        require(not (self.epochs is self.steps is self.seconds is None), "must give epochs, steps or seconds")
        return self


Fraction: TypeAlias = Literal["constant", "linear", "cosine", "flat_cos", "coslog4"]


class Schedules(Node):
    """How settings change from step to step: their own value times a curve over the whole training.

    linear: from 1 to 0; cosine: half a cosine from 1 to 0; flat_cos: 1 for the first half, then half a cosine to 0;
    coslog4: as the schedule of that name, from 0.
    """

    weight_decay: Fraction | None = Field(None, description="The weight decay of the optimizer, of every group.")
    dropout: Fraction | None = Field(None, description="The probability of every dropout and alpha_dropout.")


class Training(Node):
    """The loop."""

    epochs: int = Field(100, ge=0, le=10_000_000, description="Passes over the training split.")
    max_steps: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        description="The most optimizer steps in all: epochs then are as many as fit into them, but at least one.",
    )
    batch_size: Annotated[
        Annotated[int, Field(ge=1, le=100_000_000)] | Literal["all", "auto"],
        Either("a whole number, 'all' or 'auto'"),
        Field(
            description="Rows of a step; all: the whole training split; auto: 64 of fewer than 2,000 training rows, "
            "else 256."
        ),
    ] = 32
    shuffle: bool = Field(True, description="Whether the rows come in a new order every epoch.")
    drop_last: bool = Field(False, description="Whether a last batch with fewer rows is left out.")
    clip_grad_norm: float | None = Field(None, gt=0, le=1e12, description="The largest norm of all gradients together.")
    clip_grad_value: float | None = Field(None, gt=0, le=1e12, description="The largest value of one gradient.")
    schedules: Schedules | None = Field(
        None, description="How weight decay and dropout change while training; not at all if left out."
    )
    ema: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="The decay of an exponential moving average of the weights, which is what is evaluated and kept.",
    )
    early_stopping: EarlyStopping | None = Field(None, description="When to stop before the last epoch.")
    refit: bool = Field(
        False,
        description="Whether another network is trained in the end, on the training and validation rows together, for "
        "as many epochs as were best; it is the one that is tested and kept.",
    )
    threshold: Literal["accuracy", "balanced_accuracy", "f1", "matthews_corrcoef"] | None = Field(
        None,
        description="What the probability from which on the second of two classes is predicted shall be best for, on "
        "the validation split; 0.5 if left out.",
    )
    checkpoint: Annotated[
        Checkpoint | Literal["none"],
        Either("'none' or a mapping with epochs, steps or seconds"),
        Field(description="When the state is kept, beside the end; none: only then."),
    ] = Checkpoint.model_construct(epochs=None, steps=None, seconds=60.0)
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "cpu", description="Where to train; auto: a GPU if there is one."
    )
    precision: Literal["float32", "float64", "bf16"] = Field(
        "float32", description="The numbers' type; bf16: float32 weights, bfloat16 matrix products (autocast)."
    )
    threads: Annotated[
        Annotated[int, Field(ge=1, le=4096)] | Literal["auto"],
        Either("a whole number or 'auto'"),
        Field(
            description="CPU threads; small networks are fastest, and exact, with one. auto: one for every 50 million "
            "operations of a step, up to the cores there are."
        ),
    ] = 1
    compile: bool = Field(
        False,
        description="Whether the network and its loss are compiled to C++, forward and backward as one, for trainings "
        "of many minutes; the last bits may be others. Networks that are trained as one (seeds, folds, points of a "
        "sweep) are not.",
    )


def settled(training: Training, rows: int | None) -> Training:
    """Return a loop whose batches have a size, where the number of training rows is known."""
    if training.batch_size != "auto" or rows is None:
        return training
    return training.model_copy(update={"batch_size": min(64, max(rows, 1)) if rows < FEW_ROWS else 256})


def threads_for(training: Training, flops: int | None, rows: int | None, cores: int) -> int | Literal["auto"]:
    """Return how many threads pay: `auto` for as long as the operations of a step are unknown.

    Args:
        training: The loop, its batches settled.
        flops: Operations of one row's forward pass.
        rows: Training rows.
        cores: The cores there are.
    """
    if training.threads != "auto":
        return training.threads
    if flops is None or rows is None or training.batch_size == "auto":
        return "auto"
    size = rows if training.batch_size == "all" else min(training.batch_size, rows)
    return max(1, min(cores, PASSES * flops * size // OPERATIONS))


PASSES = 3
"""A step takes so many times the operations of a forward pass."""
OPERATIONS = 50_000_000
"""Operations of a step for which a thread pays: a millisecond's work, beside which waiting for others is little."""

FEW_ROWS = 2_000
"""Of fewer rows `auto` makes smaller batches, for an epoch of large ones is only a few steps."""


class Bound(Node):
    """The range a measure must be in."""

    min: float | None = Field(None, description="The smallest value allowed.")
    max: float | None = Field(None, description="The largest value allowed.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        require(self.min is not None or self.max is not None, "must give min, max or both")
        if self.min is not None and self.max is not None:
            require(self.min <= self.max, "min must not be above max")
        return self


class Checks(Node):
    """What must hold after training: `improves`, and a bound for any measure, written under its name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Bound]

    improves: Annotated[
        str | Several[str],
        Either("a measure such as test.loss, or a list of them"),
        Field(description="Measures that must be better after training than before."),
    ] = ()

    @property
    def improving(self) -> tuple[str, ...]:
        """The measures that must improve."""
        return (self.improves,) if isinstance(self.improves, str) else self.improves

    @property
    def bounds(self) -> dict[str, Bound]:
        """The bound of each measure that has one."""
        return dict(self.__pydantic_extra__ or {})
