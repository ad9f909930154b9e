"""The loop of a script, with what stands right before and behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.export.calibration import calibration, check_after
from ffspec.export.changing import Changes, trained
from ffspec.export.compiled import compiled, compiling, is_compiled
from ffspec.export.ensembles import objective, repeated
from ffspec.export.measures import require_defined
from ffspec.export.objective import training_target, unit_of
from ffspec.export.steps import Timetable, optimizer_names
from ffspec.export.text import literal
from ffspec.planner import walk
from ffspec.spec.ensembles import are_independent
from ffspec.spec.metrics import larger_is_better

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject

CHANCE = frozenset({"nn.Dropout", "nn.AlphaDropout", "nn.RReLU"})
"""Layers that draw while training."""


class Loop:
    """Says in code how a network is trained."""

    def __init__(self, script: Script, subject: Subject, *, second: bool = False) -> None:
        self._script = script
        self._subject = subject
        self._settings = subject.spec.training
        self._second = second
        """Whether the first training has told for how long."""
        self._table = Timetable(subject)
        self._names = optimizer_names(subject)
        self._changes = Changes(subject)
        stopping = self._settings.early_stopping
        monitors = [subject.monitor, stopping.monitor if stopping else ""]
        for monitor, path in zip(monitors, (("scheduler",), ("training", "early_stopping")), strict=True):
            require_defined(subject, monitor, path)
        wanted = {"validation", *(monitor.partition(".")[0] for monitor in monitors)}
        self._watched = [name for name in subject.rows if name in wanted]

    @property
    def _counts_steps(self) -> bool:
        return self._table.counts_steps or self._changes.counts_steps

    def opening(self) -> list[str]:
        """Return what stands before the loop."""
        lines = ["# The second training." if self._second else "# The training."]
        if schedule := self._table.start():
            lines += schedule
        lines += self._changes.opening(self._names)
        if self._subject.batch_size is not None and self._settings.shuffle:
            lines.append('shuffle = torch.Generator().manual_seed(derive("shuffle"))')
        if any(step.call.target in CHANCE for step in walk(self._subject.plan.steps)):
            lines.append('torch.manual_seed(derive("dropout"))  # dropout draws from the global stream')
        if self._settings.early_stopping:
            self._script.use("copy")
            self._script.use("math")
            lines.append("best, waited, best_state = math.inf, 0, copy.deepcopy(model.state_dict())")
            lines += ["best_epoch = 0"] if self._settings.refit else []
        if self._subject.batch_size is None and training_target(self._subject, "y_train") != "y_train":
            lines.append(f"target = {training_target(self._subject, 'y_train')}")
        elif training_target(self._subject, "y_train") != "y_train":
            lines.append(f"target_train = {training_target(self._subject, 'y_train')}")
        if unit := unit_of(self._subject):
            lines.append(f"unit = {unit}  # of a loss, in those of the target")
        if self._counts_steps:
            lines.append("step = 0")
        if is_compiled(self._subject):
            lines += compiling(self._script, self._subject)
        return lines

    def lines(self, epochs: str = "EPOCHS") -> list[str]:
        """Return the loop, over so many epochs."""
        body = self._whole() if self._subject.batch_size is None else self._batches()
        if unit_of(self._subject):
            body.append("train_loss *= unit")
        for name in self._watched:
            body.append(f'on_{name} = evaluate("{name}")')
        shown = "".join(f"  {name} loss {{on_{name}['loss']}}" for name in self._watched)
        body.append(f'print(f"{"again  " if self._second else ""}epoch {{epoch}}  loss {{train_loss}}{shown}")')
        body += self._table.after("epoch", self._value(self._subject.monitor) if self._subject.monitor else "", 4)
        body += self._stopping()
        lines = [_indented(line) for text in body for line in text.split("\n")]
        return [f"for epoch in range(1, {epochs} + 1):", *lines]

    def closing(self) -> list[str]:
        """Return what stands behind the loop: the best weights, and what is fitted on the validation split."""
        restored = ["model.load_state_dict(best_state)"] if self._settings.early_stopping else []
        return [*restored, *calibration(self._subject), check_after(self._subject)]

    def _whole(self) -> list[str]:
        """Return an epoch of one step of all rows: their order would change nothing but rounding."""
        target = "y_train" if training_target(self._subject, "y_train") == "y_train" else "target"
        lines = self._step("x_train", target, "")
        if self._subject.double:  # as a mean over the rows, which rounds
            return [*lines, "train_loss = loss.item() * len(x_train) / len(x_train)", *self._counted()]
        return [*lines, "train_loss = loss.item()", *self._counted()]

    def _batches(self) -> list[str]:
        """Return an epoch in batches, in a new order if asked."""
        target = "y_train" if training_target(self._subject, "y_train") == "y_train" else "target_train"
        rows, size = self._subject.sizes["train"], self._subject.batch_size or 1
        names = ["x_train", target]
        lines = []
        kept = rows - rows % size if self._settings.drop_last else rows
        if self._settings.shuffle:
            lines.append("order = torch.randperm(len(x_train), generator=shuffle)")
            if kept < rows:
                lines.append(f"order = order[:{kept}]  # the rest would be a smaller batch")
            names = [f"{name}[order]" for name in names]
        elif kept < rows:
            names = [f"{name}[:{kept}]" for name in names]
        parts = ", ".join(f"{name}.split(BATCH_SIZE)" for name in names)
        total = "torch.zeros((), dtype=torch.float64)" if self._subject.double else "0.0"
        inner = self._step("x", "y", "x=x, y=y")
        if self._subject.double:
            inner.append("total.add_(loss.detach(), alpha=len(x))")
        else:
            inner.append("total += loss.item() * len(x)")
        inner += self._counted()
        body = [_indented(line) for text in inner for line in text.split("\n")]
        mean = f"total.item() / {kept}" if self._subject.double else f"total / {kept}"
        if kept == rows:
            mean = mean.replace(f"{kept}", "len(x_train)")
        return [*lines, f"total = {total}", f"for x, y in zip({parts}):", *body, f"train_loss = {mean}"]

    def _counted(self) -> list[str]:
        counter = ["step += 1"] if self._counts_steps else []
        return [*counter, *self._table.after("step", "", 4 if self._subject.batch_size is None else 8)]

    def _step(self, x: str, y: str, defaults: str) -> list[str]:
        """Return the lines of one step of the optimizer."""
        forward = [f"loss = criterion({trained(self._subject)}({x}), {repeated(self._subject, y)})"]
        if self._subject.autocast:
            forward = ['with torch.autocast("cpu", torch.bfloat16):', f"    {forward[0]}"]
        zero = [f"{name}.zero_grad()" for name in self._names]
        whole = objective(self._subject)
        inner = [*zero, *forward, f"{whole}.backward()"]
        if is_compiled(self._subject):
            inner = compiled(self._subject, x, y, inner)
        inner += self._clipping()
        if self._subject.spec.optimizer.name != "lbfgs":
            steps = (f"{name}.step()" for name in self._names)
            return [*self._changes.before_step(), *inner, *steps, *self._changes.after_step()]
        before, after = self._changes.before_step(), self._changes.after_step()
        if whole == "loss":
            closure = [f"def closure({defaults}):", *(f"    {line}" for line in inner), "    return loss"]
            return [*before, "", *closure, "", "loss = optimizer.step(closure)", *after]
        inner.append("losses.append(loss)")
        kept = "losses=losses" if not defaults else f"{defaults}, losses=losses"
        closure = [f"def closure({kept}):", *(f"    {line}" for line in inner), f"    return {whole[1:-1]}"]
        return [*before, "losses = []", "", *closure, "", "optimizer.step(closure)", "loss = losses[0]", *after]

    def _clipping(self) -> Iterator[str]:
        parameters = f"{trained(self._subject)}.parameters()"
        if self._settings.clip_grad_value is not None:
            yield f"nn.utils.clip_grad_value_({parameters}, {literal(self._settings.clip_grad_value)})"
        if self._settings.clip_grad_norm is not None:
            most = literal(self._settings.clip_grad_norm)
            if are_independent(self._subject.plan.steps):
                yield f"clip_members({trained(self._subject)}, {most})"
            else:
                yield f"nn.utils.clip_grad_norm_({parameters}, {most})"

    def _stopping(self) -> list[str]:
        stopping = self._settings.early_stopping
        if stopping is None:
            return []
        sign = "-" if larger_is_better(stopping.monitor) else ""
        less = f" - {literal(stopping.min_delta)}" if stopping.min_delta else ""
        return [
            "# Stop when it has not improved for too long; the best weights come back at the end.",
            f"now = {sign}{self._value(stopping.monitor)}",
            f"if now < best{less}:",
            "    best, waited, best_state = now, 0, copy.deepcopy(model.state_dict())",
            *(["    best_epoch = epoch"] if self._settings.refit else []),
            "else:",
            "    waited += 1",
            f"    if waited > {stopping.patience}:",
            "        break",
        ]

    def _value(self, monitor: str) -> str:
        split, _, name = monitor.partition(".")
        return f'on_{split}["{name}"]' if name else "train_loss"


def _indented(line: str) -> str:
    return f"    {line}" if line else ""
