"""The optimizer of a script and the schedule of its learning rate."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ffspec.export.changing import Changes, add_average, trained
from ffspec.export.classes import add_classes
from ffspec.export.defaults import FUSED, MOMENTUM, arguments_of
from ffspec.export.grouping import add_groups, has_groups
from ffspec.export.text import WIDTH, bracketed, call, literal
from ffspec.spec.metrics import larger_is_better
from ffspec.spec.step import LINEARS, Call

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject
    from ffspec.spec.kinds import Phase
    from ffspec.spec.step import Step


def add_optimizer(script: Script, subject: Subject) -> None:
    """Add the optimizer; Muon's leaves some of the parameters to AdamW."""
    spec, network = subject.spec.optimizer, trained(subject)
    parameters = f"{network}.parameters()"
    add_average(script, subject)
    curves = (phase.call.arguments.get("lr_lambda") for phase in subject.plan.schedule)
    add_classes(script, (name for name in (*curves, *Changes(subject).curves) if name))
    fused = "fused" if spec.torch in FUSED else ""
    told = "# The optimizer; fused: one kernel for all of a step." if fused else "# The optimizer."
    add_groups(script, subject)
    if spec.name != "muon":
        script.add(told, _optimizer(subject, spec.call(), parameters, "optimizer = "))
        return
    hidden = hidden_matrices(subject.plan.steps)
    others = Call("optim.AdamW", {"lr": getattr(spec, "adamw_lr", 1e-3)})
    if not hidden:
        script.add("# The optimizer: without a matrix between hidden layers, there is nothing for Muon.",
                   _optimizer(subject, others, parameters, "optimizer = "))  # fmt: skip
        return
    names = [f"{network}{''.join(f'[{part}]' for part in name.split('.'))}.weight" for name in hidden]
    script.add(
        "# The optimizers: Muon for the matrices between hidden layers, AdamW for all else.",
        bracketed("hidden = [", names, "]"),
        f"others = [p for p in {parameters} if all(p is not weight for weight in hidden)]",
        _optimizer(subject, spec.call(), "hidden", "muon = "),
        _optimizer(subject, others, "others", "adamw = "),
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
        if step.call.target in LINEARS:
            yield f"{prefix}{position}"
        yield from _linears(step.steps, f"{prefix}{position}.")


def _optimizer(subject: Subject, made: Call, parameters: str, head: str) -> str:
    kind = made.target.removeprefix("optim.")
    fused = ["fused=True"] if kind in FUSED else []
    if has_groups(subject):
        decay = made.arguments.get("weight_decay", 0.01 if kind == "AdamW" else None)
        settings = [parameters, literal(made.arguments["lr"]), *([] if decay is None else [literal(decay)])]
        parameters = f"grouped({', '.join(settings)})"
    return call(f"torch.optim.{kind}", [parameters, *arguments_of(made), *fused], head=head)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A phase of the schedule in the time of the training: it acts on the counts after `start`, before `end`."""

    phase: Phase
    start: int
    end: int | None

    @property
    def idle(self) -> bool:
        """Whether the learning rate just stays as it is."""
        return is_idle(self.phase)


def is_idle(phase: Phase) -> bool:
    """Whether a phase leaves the learning rate as it is."""
    return phase.call.target == "lr_scheduler.ConstantLR" and phase.call.arguments["factor"] == 1


class Timetable:
    """Says in code what the learning rate does after a step and after an epoch."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._per_epoch = (subject.plan.steps_per_epoch or 1) if subject.batch_size else 1
        self._epochs = subject.plan.epochs
        self._stretches = [*self._timed(subject.plan.schedule)]
        self._names = optimizer_names(subject)

    @property
    def counts_steps(self) -> bool:
        """Whether steps have to be counted: with one an epoch, the epoch's number is the step's."""
        return self._subject.batch_size is not None and any("step " in line for line in self.after("step", "", 0))

    def start(self) -> list[str]:
        """Return the lines that make the first scheduler."""
        return self._made(self._stretches[0].phase, 0) if self._stretches else []

    def after(self, interval: str, measured: str, indent: int) -> list[str]:
        """Return the lines behind every step, or every epoch.

        Args:
            interval: Which of both.
            measured: What a plateau is looked for in.
            indent: The columns they will be moved by.
        """
        counter = "epoch" if self._subject.batch_size is None else interval
        chain: list[tuple[str, list[str]]] = []
        acting: list[tuple[Stretch, list[str]]] = []
        for index, stretch in enumerate(self._stretches):
            if stretch.phase.interval != interval:
                continue
            if stretch.end is not None and index + 1 < len(self._stretches):
                following = self._stretches[index + 1].phase
                begun = [] if is_idle(following) else self._made(following, indent + 4)
                body = ["# On from the full rate, not from what rounding has left of it.", *self._restored(), *begun]
                chain.append((f"{counter} == {stretch.end}", body))
            if not stretch.idle and (stretch.end is None or stretch.end > stretch.start + 1):
                acting.append((stretch, self._stepped(stretch.phase, measured)))
        whole = bool(acting) and acting[-1][0].end is None and self._contiguous(interval)
        return _chain([*chain, *_acts(acting, counter, whole=whole)])

    def _contiguous(self, interval: str) -> bool:
        """Whether every count from the first on is in a stretch of this interval that acts, or ends one."""
        expected: int | None = 0
        for stretch in self._stretches:
            if stretch.phase.interval == interval:
                if stretch.start != expected or stretch.idle:
                    return False
                expected = stretch.end
        return expected is None

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
            if phase.interval == "step":
                # A phase that begins within an epoch does not count that epoch as one of its own.
                step, epoch = end, -(-end // self._per_epoch)
            else:
                step, epoch = end * self._per_epoch, end

    def _restored(self) -> list[str]:
        lines = ["for group in optimizer.param_groups:", '    group["lr"] = group["initial_lr"]']
        if len(self._names) == 1:
            return lines
        return ["for optimizer in (muon, adamw):", *(f"    {line}" for line in lines)]

    def _made(self, phase: Phase, indent: int) -> list[str]:
        kind = phase.call.target.removeprefix("lr_scheduler.")
        fitting = self._fitting(phase, self._subject.spec.optimizer.torch)
        arguments = ["optimizer", *map(self._named, map(self._multiplied, arguments_of(fitting)))]
        if kind == "LambdaLR":
            arguments = ["optimizer", self._curve(phase)]
        name = f"torch.optim.lr_scheduler.{kind}"
        if len(self._names) == 1:
            made = textwrap.dedent(call(name, arguments, head="scheduler = ", indent=indent))
            return made.split("\n")
        loop = "for optimizer in (muon, adamw)"
        line = f"{name}({', '.join(arguments)}) {loop}"
        if indent + len(f"schedulers = [{line}]") <= WIDTH:
            return [f"schedulers = [{line}]"]
        if indent + 4 + len(line) <= WIDTH:
            return ["schedulers = [", f"    {line}", "]"]
        made = textwrap.dedent(call(name, arguments, indent=indent + 4))
        return ["schedulers = [", *(f"    {part}" for part in made.split("\n")), f"    {loop}", "]"]

    def _named(self, argument: str) -> str:
        """Return a length that is the whole training's, in epochs, by its name."""
        scheduler = self._subject.spec.scheduler
        length = None if scheduler is None or scheduler.interval == "step" else scheduler.length
        return f"{length}=EPOCHS" if argument == f"{length}={self._epochs}" else argument

    def _curve(self, phase: Phase) -> str:
        """Return the factor of the learning rate as a function of the count; behind its end it stays."""
        given = phase.call.arguments
        whole = phase.interval == "epoch" and given["total_iters"] == self._epochs
        return f"lambda count: {given['lr_lambda']}(min(count / {'EPOCHS' if whole else given['total_iters']}, 1))"

    def _multiplied(self, argument: str) -> str:
        """Return a learning rate for each group of parameters, where there are groups."""
        name, _, value = argument.partition("=")
        if name not in {"max_lr", "min_lr"} or not has_groups(self._subject):
            return argument
        return f'{name}=[{value} * group["factor"] for group in optimizer.param_groups]'

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


def _acts(acting: list[tuple[Stretch, list[str]]], counter: str, *, whole: bool) -> Iterator[tuple[str, list[str]]]:
    """Yield what schedulers do, each with its condition; the last without one if the others leave nothing else."""
    bodies: dict[str, list[Stretch]] = {}
    for stretch, body in acting:
        bodies.setdefault("\n".join(body), []).append(stretch)
    for index, (text, stretches) in enumerate(bodies.items()):
        last = index == len(bodies) - 1
        conditions = [_during(start, end, counter) for start, end in _joined(stretches)]
        yield "" if last and whole else " or ".join(conditions), text.split("\n")


def _joined(stretches: list[Stretch]) -> list[tuple[int, int | None]]:
    """Return the stretches as intervals, neighbours in one: what is done between them has been asked for before."""
    intervals: list[tuple[int, int | None]] = []
    for stretch in stretches:
        if intervals and intervals[-1][1] == stretch.start:
            intervals[-1] = (intervals[-1][0], stretch.end)
        else:
            intervals.append((stretch.start, stretch.end))
    return intervals


def _during(start: int, end: int | None, counter: str) -> str:
    if end is None:
        return f"{counter} > {start}"
    return f"{start} < {counter} < {end}" if start else f"{counter} < {end}"


def _chain(branches: list[tuple[str, list[str]]]) -> list[str]:
    """Return branches as if, elif and else."""
    if len(branches) == 1 and not branches[0][0]:
        return branches[0][1]
    lines: list[str] = []
    for index, (condition, body) in enumerate(branches):
        word = "if" if index == 0 else "elif"
        lines.append(f"{word} {condition}:" if condition else "else:")
        lines += [f"    {line}" for line in body]
    return lines
