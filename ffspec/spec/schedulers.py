"""Learning-rate schedules: those of torch.optim.lr_scheduler, and a warm-up in front of any."""

from typing import Annotated, ClassVar, Literal, final

from pydantic import Field

from ffspec.spec.base import Several
from ffspec.spec.kinds import AnyScheduler, Interval, Length, Phase, Scheduler
from ffspec.spec.step import Call, fields_of

Factor = Annotated[float, Field(gt=0, le=1e6)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


@final
class Constant(Scheduler):
    """lr times factor for total_iters, then lr (torch.optim.lr_scheduler.ConstantLR)."""

    name: ClassVar[str] = "constant"
    torch: ClassVar[str] = "ConstantLR"
    factor: float = Field(1 / 3, ge=0, le=1, description="The factor at first.")
    total_iters: Count = Field(5, description="How long it holds.")


@final
class Linear(Scheduler):
    """From start_factor to end_factor times lr in total_iters (LinearLR)."""

    name: ClassVar[str] = "linear"
    torch: ClassVar[str] = "LinearLR"
    length: ClassVar[str | None] = "total_iters"
    start_factor: float = Field(1 / 3, gt=0, le=1, description="The factor at first.")
    end_factor: float = Field(1.0, ge=0, le=1, description="The factor at last.")
    total_iters: Count | None = Field(None, description="How long it takes; the whole training if left out.")


@final
class Step(Scheduler):
    """lr times gamma every step_size (StepLR)."""

    name: ClassVar[str] = "step"
    torch: ClassVar[str] = "StepLR"
    sole: ClassVar[str | None] = "step_size"
    step_size: Count = Field(description="How often.")
    gamma: Factor = Field(0.1, description="The factor.")


@final
class MultiStep(Scheduler):
    """lr times gamma at each milestone (MultiStepLR)."""

    name: ClassVar[str] = "multi_step"
    torch: ClassVar[str] = "MultiStepLR"
    sole: ClassVar[str | None] = "milestones"
    milestones: Several[Count] = Field(min_length=1, max_length=1000, description="When.")
    gamma: Factor = Field(0.1, description="The factor.")


@final
class Exponential(Scheduler):
    """lr times gamma every time (ExponentialLR)."""

    name: ClassVar[str] = "exponential"
    torch: ClassVar[str] = "ExponentialLR"
    sole: ClassVar[str | None] = "gamma"
    gamma: Factor = Field(description="The factor.")


@final
class CosineAnnealing(Scheduler):
    """From lr to eta_min along half a cosine (CosineAnnealingLR; Loshchilov and Hutter 2016, arXiv 1608.03983)."""

    name: ClassVar[str] = "cosine_annealing"
    torch: ClassVar[str] = "CosineAnnealingLR"
    length: ClassVar[str | None] = "T_max"
    T_max: Count | None = Field(None, description="How long it takes; the whole training if left out.")
    eta_min: float = Field(0.0, ge=0, le=1e6, description="The learning rate at last.")


@final
class CosineAnnealingWarmRestarts(Scheduler):
    """Cosine annealing that starts again every T_0, T_mult times longer each time (arXiv 1608.03983)."""

    name: ClassVar[str] = "cosine_annealing_warm_restarts"
    torch: ClassVar[str] = "CosineAnnealingWarmRestarts"
    sole: ClassVar[str | None] = "T_0"
    T_0: Count = Field(description="The first period.")
    T_mult: int = Field(1, ge=1, le=1000, description="The factor from one period to the next.")
    eta_min: float = Field(0.0, ge=0, le=1e6, description="The learning rate at the end of a period.")


@final
class OneCycle(Scheduler):
    """Up to max_lr and down again in one cycle (OneCycleLR; Smith and Topin 2017, arXiv 1708.07120)."""

    name: ClassVar[str] = "one_cycle"
    torch: ClassVar[str] = "OneCycleLR"
    sole: ClassVar[str | None] = "max_lr"
    length: ClassVar[str | None] = "total_steps"
    interval: Interval = Field("step", description="What is counted: optimizer steps or epochs.")
    max_lr: Factor = Field(description="The largest learning rate.")
    total_steps: Count | None = Field(None, description="How long it takes; the whole training if left out.")
    pct_start: float = Field(0.3, ge=0, le=1, description="The share of it spent rising.")
    anneal_strategy: Literal["cos", "linear"] = Field("cos", description="The shape of rise and fall.")
    cycle_momentum: bool = Field(
        True, description="Whether momentum falls while lr rises, where the optimizer has one."
    )
    base_momentum: float = Field(0.85, ge=0, lt=1, description="The smallest momentum.")
    max_momentum: float = Field(0.95, ge=0, lt=1, description="The largest momentum.")
    div_factor: Factor = Field(25.0, description="max_lr over the first learning rate.")
    final_div_factor: float = Field(1e4, gt=0, le=1e12, description="The first learning rate over the last.")
    three_phase: bool = Field(
        False, description="Whether the fall below the first learning rate is a phase of its own."
    )


@final
class Polynomial(Scheduler):
    """From lr to 0 as a power of the time left (PolynomialLR)."""

    name: ClassVar[str] = "polynomial"
    torch: ClassVar[str] = "PolynomialLR"
    length: ClassVar[str | None] = "total_iters"
    total_iters: Count | None = Field(None, description="How long it takes; the whole training if left out.")
    power: float = Field(1.0, gt=0, le=1e3, description="The power.")


@final
class ReduceOnPlateau(Scheduler):
    """lr times factor when the monitored measure has not improved for patience epochs (ReduceLROnPlateau)."""

    name: ClassVar[str] = "reduce_on_plateau"
    torch: ClassVar[str] = "ReduceLROnPlateau"
    interval: Literal["epoch"] = Field("epoch", description="What is counted: epochs.")
    monitor: str | None = Field(
        None,
        description="What must improve; validation.loss if left out, or without that split the training loss.",
    )
    factor: float = Field(0.1, gt=0, lt=1, description="The factor.")
    patience: int = Field(10, ge=0, le=1_000_000, description="Epochs without improvement before it acts.")
    threshold: float = Field(1e-4, ge=0, le=1e6, description="The smallest change that is an improvement.")
    threshold_mode: Literal["rel", "abs"] = Field("rel", description="Whether the threshold is relative.")
    cooldown: int = Field(0, ge=0, le=1_000_000, description="Epochs to wait after acting.")
    min_lr: float = Field(0.0, ge=0, le=1e6, description="The smallest learning rate.")
    eps: float = Field(1e-8, ge=0, le=1, description="The smallest change of lr that is made.")

    def phases(self, total: Length) -> tuple[Phase, ...]:
        """Return the one phase; how long the training is does not matter."""
        del total
        arguments = {name: value for name, value in fields_of(self).items() if name not in {"interval", "monitor"}}
        call = Call("lr_scheduler.ReduceLROnPlateau", arguments)
        return (Phase(call=call, interval="epoch", monitor=self.monitor or ""),)


@final
class FlatCos(Scheduler):
    """lr for the first half, then half a cosine down to 0 (LambdaLR)."""

    name: ClassVar[str] = "flat_cos"
    torch: ClassVar[str] = "LambdaLR"
    length: ClassVar[str | None] = "total_iters"
    interval: Interval = Field("step", description="What is counted: optimizer steps or epochs.")
    total_iters: Count | None = Field(None, description="How long it takes; the whole training if left out.")

    def phases(self, total: Length) -> tuple[Phase, ...]:
        """Return the one phase."""
        return (_curve(self.name, self.total_iters or total.of(self.interval), self.interval),)


@final
class CosLog4(Scheduler):
    """lr times (1 - cos(2 pi log2(1 + 15 t))) / 2, t from 0 to 1: four waves from 0 to lr and back, each twice as long.

    A wave warms up and anneals; the last one takes more than half of the training (Holzmueller et al. 2024, arXiv
    2407.04491). LambdaLR.
    """

    name: ClassVar[str] = "coslog4"
    torch: ClassVar[str] = "LambdaLR"
    length: ClassVar[str | None] = "total_iters"
    interval: Interval = Field("step", description="What is counted: optimizer steps or epochs.")
    total_iters: Count | None = Field(None, description="How long it takes; the whole training if left out.")

    def phases(self, total: Length) -> tuple[Phase, ...]:
        """Return the one phase."""
        return (_curve(self.name, self.total_iters or total.of(self.interval), self.interval),)


def _curve(name: str, length: int | None, interval: Interval) -> Phase:
    """Return a phase under one of the builder's fractions, which stays where it ends."""
    return Phase(call=Call("lr_scheduler.LambdaLR", {"lr_lambda": name, "total_iters": length}), interval=interval)


@final
class Warmup(Scheduler):
    """lr rises linearly from start_factor times itself in total_iters, then the schedule in `then` begins."""

    name: ClassVar[str] = "warmup"
    torch: ClassVar[str] = "LinearLR"
    total_iters: Count = Field(description="How long the rise takes, counted in intervals.")
    start_factor: float = Field(0.01, gt=0, le=1, description="The factor at first.")
    then: AnyScheduler | None = Field(None, description="The schedule that follows; lr stays as it is if left out.")

    def phases(self, total: Length) -> tuple[Phase, ...]:
        """Return the rise, then the phases of what follows."""
        arguments = {"start_factor": self.start_factor, "end_factor": 1.0, "total_iters": self.total_iters}
        call = Call("lr_scheduler.LinearLR", arguments)
        rise = Phase(call=call, interval=self.interval, length=self.total_iters)
        if self.then is None:
            hold = Call("lr_scheduler.ConstantLR", {"factor": 1.0, "total_iters": 1})
            return (rise, Phase(call=hold, interval=self.interval))
        return (rise, *self.then.phases(total.after(self.total_iters, self.interval)))


SCHEDULERS: tuple[type[Scheduler], ...] = (
    Constant, Linear, Step, MultiStep, Exponential, CosineAnnealing, CosineAnnealingWarmRestarts, OneCycle, Polynomial,
    FlatCos, CosLog4, ReduceOnPlateau, Warmup,
)  # fmt: skip
