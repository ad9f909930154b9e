"""The optimizer of a script and the schedule of its learning rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ffspec.export.defaults import FUSED, MOMENTUM, arguments_of
from ffspec.export.text import bracketed, call
from ffspec.runner.expectations import larger_is_better
from ffspec.spec.step import Call

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject
    from ffspec.spec.kinds import Phase
    from ffspec.spec.step import Step

RESTORE = (
    "for group in optimizer.param_groups:",
    '    group["lr"] = group["initial_lr"]',
)


def add_optimizer(script: Script, subject: Subject) -> None:
    """Add the optimizer; Muon's leaves some of the parameters to AdamW."""
    spec = subject.spec.optimizer
    fused = "fused" if spec.torch in FUSED else ""
    told = "# The optimizer; fused: one kernel for all of a step." if fused else "# The optimizer."
    if spec.name != "muon":
        script.add(told, _optimizer(spec.call(), "model.parameters()", "optimizer = "))
        return
    hidden = hidden_matrices(subject.plan.steps)
    others = Call("optim.AdamW", {"lr": getattr(spec, "adamw_lr", 1e-3)})
    if not hidden:
        script.add("# The optimizer: without a matrix between hidden layers, there is nothing for Muon.",
                   _optimizer(others, "model.parameters()", "optimizer = "))  # fmt: skip
        return
    names = [f"model{''.join(f'[{part}]' for part in name.split('.'))}.weight" for name in hidden]
    script.add(
        "# The optimizers: Muon for the matrices between hidden layers, AdamW for all else.",
        bracketed("hidden = [", names, "]"),
        "others = [p for p in model.parameters() if all(p is not weight for weight in hidden)]",
        _optimizer(spec.call(), "hidden", "muon = "),
        _optimizer(others, "others", "adamw = "),
    )


def optimizer_names(subject: Subject) -> list[str]:
    """Return the names of the optimizers in the script."""
    if subject.spec.optimizer.name == "muon" and hidden_matrices(subject.plan.steps):
        return ["muon", "adamw"]
    return ["optimizer"]


def hidden_matrices(steps: Sequence[Step]) -> list[str]:
    """Return the names of all linears but the first and the last."""
    return [*_linears(steps, "")][1:-1]


def _linears(steps: Sequence[Step], prefix: str) -> Iterator[str]:
    for position, step in enumerate(steps):
        if step.call.target == "nn.Linear":
            yield f"{prefix}{position}"
        yield from _linears(step.steps, f"{prefix}{position}.")


def _optimizer(made: Call, parameters: str, head: str) -> str:
    kind = made.target.removeprefix("optim.")
    fused = ["fused=True"] if kind in FUSED else []
    return call(f"torch.optim.{kind}", [parameters, *arguments_of(made), *fused], head=head)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A phase of the schedule in the time of the training: it acts on the counts after `start`, up to `end`."""

    phase: Phase
    start: int
    end: int | None


class Timetable:
    """Says in code what the learning rate does after a step and after an epoch."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._per_epoch = subject.plan.steps_per_epoch or 0
        self._epochs = subject.spec.training.epochs
        self._stretches = [*self._timed(subject.plan.schedule)]
        self._names = optimizer_names(subject)

    @property
    def counts_steps(self) -> bool:
        """Whether the number of the step decides something."""
        return any("step " in line for line in self.after("step", ""))

    def start(self) -> list[str]:
        """Return the lines that make the first scheduler."""
        return self._made(self._stretches[0].phase) if self._stretches else []

    def after(self, interval: str, measured: str) -> list[str]:
        """Return the lines behind every step, or every epoch; `measured` is what a plateau is looked for in."""
        branches: list[tuple[str, list[str]]] = []
        for index, stretch in enumerate(self._stretches):
            if stretch.phase.interval != interval:
                continue
            following = self._stretches[index + 1] if index + 1 < len(self._stretches) else None
            branches += self._branches(stretch, following, interval, measured)
        return _chain(branches)

    def _timed(self, schedule: Sequence[Phase]) -> Iterator[Stretch]:
        """Yield the phases that begin within the training, with the counts they begin and end at."""
        step, epoch = 0, 0  # behind these, the next phase begins
        for phase in schedule:
            start = step if phase.interval == "step" else epoch
            total = self._epochs * self._per_epoch if phase.interval == "step" else self._epochs
            end = None if phase.length is None or start + phase.length >= total else start + phase.length
            yield Stretch(phase=phase, start=start, end=end)
            if end is None:
                return
            # A phase that begins within an epoch does not count that epoch as one of its own.
            step, epoch = (
                (end, -(-end // self._per_epoch)) if phase.interval == "step" else (end * self._per_epoch, end)
            )

    def _branches(
        self, stretch: Stretch, following: Stretch | None, interval: str, measured: str
    ) -> Iterator[tuple[str, list[str]]]:
        """Yield conditions with what is done under them, in the order they are asked."""
        idle = stretch.phase.call.target == "lr_scheduler.ConstantLR" and stretch.phase.call.arguments["factor"] == 1
        if stretch.end is not None:
            switch = [] if following is None else [*self._restored(), *self._begun(following.phase)]
            if switch:
                yield f"{interval} == {stretch.end}", switch
        after = f"{interval} > {stretch.start}" if stretch.start else ""
        before = f"{interval} < {stretch.end}" if stretch.end is not None else ""
        told = " and ".join(filter(None, (after, before)))
        if after and before:
            told = f"{stretch.start} < {interval} < {stretch.end}"
        if not idle:
            yield told, self._stepped(stretch.phase, measured)

    def _restored(self) -> list[str]:
        if len(self._names) == 1:
            return ["for group in optimizer.param_groups:", '    group["lr"] = group["initial_lr"]']
        return [
            "for optimizer in (muon, adamw):",
            "    for group in optimizer.param_groups:",
            '        group["lr"] = group["initial_lr"]',
        ]

    def _begun(self, phase: Phase) -> list[str]:
        idle = phase.call.target == "lr_scheduler.ConstantLR" and phase.call.arguments["factor"] == 1
        return [] if idle else self._made(phase)

    def _made(self, phase: Phase) -> list[str]:
        if len(self._names) == 1:
            arguments = arguments_of(self._fitting(phase, self._subject.spec.optimizer.torch))
            return [_scheduler(phase, "optimizer", arguments, "scheduler = ")]
        arguments = arguments_of(self._fitting(phase, "Muon"))
        made = _scheduler(phase, "optimizer", arguments, "")
        line = f"schedulers = [{made} for optimizer in (muon, adamw)]"
        if len(line) <= 92:
            return [line]
        return ["schedulers = [", f"    {made}".replace("\n", "\n    "), "    for optimizer in (muon, adamw)", "]"]

    def _fitting(self, phase: Phase, optimizer: str) -> Call:
        """Return the call with what the optimizer and the length ask of it."""
        arguments = dict(phase.call.arguments)
        if phase.call.target == "lr_scheduler.ReduceLROnPlateau":
            arguments["mode"] = "max" if larger_is_better(phase.monitor or "") else "min"
        if phase.call.target == "lr_scheduler.OneCycleLR":
            given = self._subject.spec.optimizer
            if optimizer not in MOMENTUM and not (optimizer == "RMSprop" and getattr(given, "momentum", None)):
                arguments["cycle_momentum"] = False
            if arguments["pct_start"] * arguments["total_steps"] == 1:
                arguments["pct_start"] *= 1 + 1e-9  # a rise of one step: OneCycleLR would divide by its length, zero
        return replace(phase.call, arguments=arguments)

    def _stepped(self, phase: Phase, measured: str) -> list[str]:
        value = measured if phase.call.target == "lr_scheduler.ReduceLROnPlateau" else ""
        if len(self._names) == 1:
            return [f"scheduler.step({value})"]
        return ["for scheduler in schedulers:", f"    scheduler.step({value})"]


def _scheduler(phase: Phase, optimizer: str, arguments: list[str], head: str) -> str:
    kind = phase.call.target.removeprefix("lr_scheduler.")
    return call(f"torch.optim.lr_scheduler.{kind}", [optimizer, *arguments], head=head)


def _chain(branches: list[tuple[str, list[str]]]) -> list[str]:
    """Return branches as if, elif and else, the last condition left out where those before imply it."""
    if len(branches) == 1 and not branches[0][0]:
        return branches[0][1]
    lines: list[str] = []
    merged = _merged(branches)
    for index, (condition, body) in enumerate(merged):
        word = "if" if index == 0 else "elif"
        lines.append(f"{word} {condition}:" if condition else "else:")
        lines += [f"    {line}" for line in "\n".join(body).split("\n")]
    return lines


def _merged(branches: list[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """Put the switches first: behind them, neighbours that do the same are one, and the last may go without asking."""
    switches = [branch for branch in branches if " == " in branch[0]]
    others = [branch for branch in branches if " == " not in branch[0]]
    if others and all(body == others[0][1] for _, body in others) and _covering(switches, others):
        return [*switches, ("", others[0][1])]
    return [*switches, *others]


def _covering(switches: list[tuple[str, list[str]]], others: list[tuple[str, list[str]]]) -> bool:
    """Whether the conditions of `others` hold wherever none of the switches does."""
    ends = {condition.split(" == ")[1] for condition, _ in switches}
    first, last = others[0][0], others[-1][0]
    begins = " > " not in first and (" < " not in first or first.count("<") == 1)
    edges = {edge for condition, _ in others for edge in condition.replace("<", ">").split(" > ") if edge.isdigit()}
    return begins and "<" not in last and edges <= ends
