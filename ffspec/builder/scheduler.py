"""The learning-rate schedule of a plan: torch's schedulers, one phase after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.optim import RMSprop, lr_scheduler

from ffspec.builder.fractions import FRACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.optim import Optimizer

    from ffspec.spec.kinds import Phase


class Schedule:
    """Drives the learning rates of some optimizers; call `after_step` and `after_epoch` from the loop."""

    def __init__(self, phases: Sequence[Phase], optimizers: Sequence[Optimizer], *, maximize: bool = False) -> None:
        self._waiting = list(phases)
        self._optimizers = optimizers
        self._maximize = maximize
        self._phase: Phase | None = None
        self._torch: list[lr_scheduler.LRScheduler] = []
        self._passed = 0
        self._young = False
        """Whether the phase began within an epoch, which therefore does not count as one of its own."""
        self._next_phase()

    @property
    def per_step(self) -> bool:
        """Whether the present phase counts steps: where it does not, `after_step` has nothing to do."""
        return self._phase is not None and self._phase.interval == "step"

    def after_step(self) -> None:
        """Count an optimizer step."""
        if self.per_step:
            self._advance(None)
            self._young = not self.per_step

    def after_epoch(self, measure: Callable[[str], float]) -> None:
        """Count an epoch; `measure` gives the value a plateau is looked for in, by the monitor's name."""
        if self._phase is not None and self._phase.interval == "epoch" and not self._young:
            self._advance(None if self._phase.monitor is None else measure(self._phase.monitor))
        self._young = False

    def state(self) -> dict[str, Any]:
        """Return where the schedule stands, as plain values."""
        return {
            "waiting": len(self._waiting),
            "passed": self._passed,
            "young": self._young,
            "torch": [scheduler.state_dict() for scheduler in self._torch],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go to where `state` was taken; the optimizers' own states must be loaded after it, for this sets rates."""
        while len(self._waiting) > state["waiting"]:
            self._next_phase()
        for scheduler, saved in zip(self._torch, state["torch"], strict=True):
            scheduler.load_state_dict(saved)
        self._passed, self._young = state["passed"], state["young"]

    def _advance(self, measured: float | None) -> None:
        self._passed += 1
        if self._phase is not None and self._passed == self._phase.length:
            # OneCycleLR, asked for a value behind its end, goes on along its last line: below zero, it may be.
            self._next_phase()
            return
        for scheduler in self._torch:
            if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
                scheduler.step(float("nan") if measured is None else measured)
            else:
                scheduler.step()

    def _next_phase(self) -> None:
        for optimizer in self._optimizers if self._phase is not None and self._waiting else ():
            for group in optimizer.param_groups:
                # A rise ends at the learning rate itself, not at what rounding has left of it.
                group["lr"] = group["initial_lr"]
        self._passed = 0
        self._phase = self._waiting.pop(0) if self._waiting else None
        self._torch = [] if self._phase is None else [self._construct(self._phase, one) for one in self._optimizers]

    def _construct(self, phase: Phase, optimizer: Optimizer) -> lr_scheduler.LRScheduler:
        kind = getattr(lr_scheduler, phase.call.target.removeprefix("lr_scheduler."))
        arguments = dict(phase.call.arguments)
        if kind is lr_scheduler.LambdaLR:
            return lr_scheduler.LambdaLR(optimizer, _curve(arguments["lr_lambda"], arguments["total_iters"]))
        if kind is lr_scheduler.ReduceLROnPlateau:
            arguments["mode"] = "max" if self._maximize else "min"
        if kind is lr_scheduler.OneCycleLR and not _has_momentum(optimizer):
            arguments["cycle_momentum"] = False
        if "factor" in optimizer.param_groups[0]:
            _multiply(arguments, [group["factor"] for group in optimizer.param_groups])
        if kind is lr_scheduler.OneCycleLR and arguments["pct_start"] * arguments["total_steps"] == 1:
            # A rise of exactly one step: OneCycleLR would divide by its length, zero.
            arguments["pct_start"] *= 1 + 1e-9
        scheduler: lr_scheduler.LRScheduler = kind(optimizer, **arguments)
        return scheduler


def _curve(name: str, length: int) -> Callable[[int], float]:
    """Return a factor by the count of steps or epochs; behind its end it stays."""
    fraction = FRACTIONS[name]
    return lambda count: fraction(min(count / length, 1.0))


def _multiply(arguments: dict[str, Any], factors: Sequence[float]) -> None:
    """Give each group of an optimizer learning rates of its own, where a schedule names them."""
    for name in {"max_lr", "min_lr"} & arguments.keys():
        arguments[name] = [arguments[name] * factor for factor in factors]


def _has_momentum(optimizer: Optimizer) -> bool:
    """Return whether there is a momentum to change; RMSprop keeps none that was zero at its first step."""
    if isinstance(optimizer, RMSprop):
        return bool(optimizer.defaults["momentum"])
    return not {"momentum", "betas"}.isdisjoint(optimizer.defaults)
