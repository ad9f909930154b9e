"""The first weights, the optimizer and the loop: settings with which nothing, or nothing good, is learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Edit, Severity
from ffspec.planner import walk
from ffspec.rules.network import DROPOUTS, SILENT, chains, known, learns
from ffspec.rules.rule import StaticRule
from ffspec.spec.kinds import Length
from ffspec.spec.step import LINEARS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.diagnostics import Diagnostic, Path
    from ffspec.planner import Draft
    from ffspec.spec.step import Step

ADAMS = frozenset({"adam", "adamw", "nadam", "radam", "adamax", "rmsprop"})
"""Optimizers whose steps are about as long as the learning rate, whatever the gradient."""
LARGEST = {"sgd": 10.0, "asgd": 10.0, **dict.fromkeys(ADAMS, 0.1)}
SMALLEST = 1e-7
WIDER = 10.0
"""How much larger a rate may be where weights are of size 1, and divided by sqrt(in_features) afterwards."""


@final
class LearningRate(StaticRule):
    """FF123: a learning rate out of scale for its optimizer."""

    about: ClassVar[Code] = Code(
        code="FF123",
        title="a learning rate out of scale",
        reason="adam and its relatives move every weight by about lr in each step, and weights are of the size of "
        "0.1: above 0.1 they are thrown about. sgd multiplies lr with the gradient, which is small, so it bears more; "
        "above 10 it runs away. Below 1e-7 a float32 weight of ordinary size does not change at all. "
        "With parametrization: ntk weights are of size 1, and bear ten times as much.",
        wrong="optimizer: {adam: {lr: 1.0}}\n",
        right="optimizer: {adam: {lr: 0.001}}\n",
        severity=Severity.WARNING,
        optional=True,
        source="stackoverflow.com/q/55718408, /q/42264716, /q/62381380; Kingma and Ba 2014 (arXiv 1412.6980), "
        "section 2.1",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the rate that counts: one_cycle has its own in place of the optimizer's."""
        optimizer, scheduler = draft.parts.get("optimizer"), draft.parts.get("scheduler")
        if optimizer is None:
            return
        path: Path = ("optimizer", optimizer.name, "lr")
        name, rate = "lr", optimizer.lr
        if scheduler is not None and scheduler.name == "one_cycle":
            path, name, rate = ("scheduler", "one_cycle", "max_lr"), "max_lr", scheduler.max_lr
        factor = WIDER if _tangent(draft) else 1.0
        yield from self._judge(optimizer.name, name, rate, path, factor)
        if optimizer.name == "muon":
            yield from self._judge("adamw", "adamw_lr", optimizer.adamw_lr, ("optimizer", "muon", "adamw_lr"))

    def _judge(self, method: str, name: str, rate: float, path: Path, factor: float = 1.0) -> Iterator[Diagnostic]:
        most = LARGEST.get(method)
        most = None if most is None else most * factor
        if most is not None and rate > most:
            message = f"{name} of {method} should be at most {most:g}, found {rate:g}"
            usual = "0.001" if method in ADAMS else "0.01 to 0.1"
            yield self.report(message, path, hint=f"{usual} is usual")
        elif rate < SMALLEST:
            what = "nothing is learnt" if rate == 0 else "weights of ordinary size do not change"
            yield self.report(f"{name} should be at least {SMALLEST:g}, found {rate:g}: {what}", path)


def _tangent(draft: Draft) -> bool:
    """Return whether every linear has the parametrization ntk."""
    linears = {step.call.target for step in walk(draft.steps) if step.call.target in LINEARS}
    return linears == {"ffspec.NTKLinear"}


@final
class StrangeTraining(StaticRule):
    """FF124: a loop or an optimizer that cannot do what it is for."""

    about: ClassVar[Code] = Code(
        code="FF124",
        title="training that takes no step, or the wrong ones",
        reason="drop_last leaves out a batch that is not full; where the rows do not fill a single one, that is all of "
        "them. With a momentum of 1 or more the speed never decays. Where lr times weight_decay reaches 1, each step "
        "turns the weights' sign; a weight_decay of 1 or more leaves little of them. A batch cannot have more rows "
        "than there are: one of thousands was meant for other data. With epochs: 0 nothing is trained.",
        wrong="training: {batch_size: 500, drop_last: true}\n",
        right="training: {batch_size: all}\n",
        source="torch.optim.SGD; Loshchilov and Hutter 2017 (arXiv 1711.05101)",
        optional=True,
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the loop, and at what the optimizer multiplies with."""
        yield from self._loop(draft)
        optimizer = draft.parts.get("optimizer")
        if optimizer is None:
            return
        here: Path = ("optimizer", optimizer.name)
        momentum, decay = getattr(optimizer, "momentum", 0.0), getattr(optimizer, "weight_decay", 0.0)
        if momentum >= 1:
            message = f"momentum must be less than 1 for the speed to decay, found {momentum:g}"
            yield self.report(message, (*here, "momentum"), hint="0.9 is usual")
        if decay * optimizer.lr >= 1:
            message = (
                f"lr times weight_decay must be less than 1, found {decay * optimizer.lr:g}: every step turns signs"
            )
            yield self.report(message, (*here, "weight_decay"), hint="1e-4 to 0.1 is usual")
        elif decay >= 1:
            message = f"weight_decay should be less than 1, found {decay:g}: little is left of the weights"
            yield self.report(message, (*here, "weight_decay"), hint="1e-4 to 0.1 is usual", severity=Severity.WARNING)

    def _loop(self, draft: Draft) -> Iterator[Diagnostic]:
        training, rows = draft.parts.get("training"), draft.facts.rows.get("train")
        if training is None:
            return
        if draft.plan is not None and draft.plan.steps_per_epoch == 0:
            message = (
                f"drop_last must leave a batch, but the {rows} training rows do not fill one of {training.batch_size}"
            )
            yield self.report(message, ("training", "drop_last"), hint="write a smaller batch_size, or batch_size: all")
        elif "batch_size" in training.model_fields_set and rows and _exceeds(training.batch_size, rows):
            message = f"batch_size should be at most the {rows:,} training rows, found {training.batch_size:,}"
            path = ("training", "batch_size")
            edit = Edit(action="replace", path=path, value="all")
            yield self.report(message, path, hint="write all", severity=Severity.WARNING, edit=edit)
        if training.epochs == 0:
            message = "epochs should be at least 1, found 0: nothing is trained"
            yield self.report(message, ("training", "epochs"), severity=Severity.WARNING)


def _exceeds(size: int | str, rows: int) -> bool:
    return isinstance(size, int) and size > rows


@final
class EqualUnits(StaticRule):
    """FF125: hidden units that all start equal."""

    about: ClassVar[Code] = Code(
        code="FF125",
        title="hidden units that start equal",
        reason="Units with the same weights compute the same, so a layer of 64 starts as a layer of 1. With random "
        "weights behind it the units drift apart, and little is lost but time. With equal ones behind it too, they "
        "stay "
        "one for ever; and a relu of zero weights and zero biases passes no gradient on at all: digits stay at 10 % "
        "right. In the last layer, and at the end of a residual, zeros are fine.",
        wrong="layers: [{linear: {out_features: 8, init: zeros, bias_init: zeros}}, relu, linear]\n",
        right="layers: [{linear: {out_features: 8, init: kaiming_uniform}}, relu, linear]\n",
        optional=True,
        source="NeuraLint's ConstantInit (arXiv 2105.08095); stackoverflow.com/q/48027263, /q/42516484",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the weights of every linear but the last of its chain."""
        told = set()
        for chain in chains(draft.steps):
            for index, step in enumerate(chain):
                init = step.initialisers.get("weight")
                behind = chain[index + 1 :]
                varied = "direct" in step.initialisers  # of a piecewise_linear: they start as what it adds
                if init is None or varied or not _constant(init) or step.output[-1] == 1 or step.path in told:
                    continue
                if known(behind) and any(map(learns, behind)):
                    told.add(step.path)
                    path = (*step.path, "linear", "init")
                    edit = Edit(action="remove", path=path)
                    message = f"hidden units must start different, but {init.name} makes all their weights equal"
                    grave = Severity.ERROR if _for_ever(step, behind) else Severity.WARNING
                    hint = "leave init out: the default is random"
                    yield self.report(message, path, hint=hint, severity=grave, edit=edit)


def _for_ever(step: Step, behind: Sequence[Step]) -> bool:
    """Return whether equal units stay equal: the next layer is constant too, or a relu passes no gradient on."""
    following = next((one for one in behind if one.call.target in LINEARS), None)
    init = following.initialisers.get("weight") if following is not None else None
    zero = all(name in step.initialisers and _zero(step.initialisers[name]) for name in ("weight", "bias"))
    cut = next((one.call.target for one in behind if one.call.target not in SILENT), "") in {"nn.ReLU", "nn.ReLU6"}
    return (init is not None and _constant(init)) or (zero and cut)


def _zero(init: Any) -> bool:
    """Return whether an initialiser gives every weight the value 0."""
    return init.name == "zeros" or (_constant(init) and init.name != "ones" and getattr(init, "val", 0) == 0)


def _constant(init: Any) -> bool:
    """Return whether an initialiser gives every weight the same value."""
    if init.name in {"zeros", "ones", "constant"}:
        return True
    zeros = {"normal": "std", "xavier_uniform": "gain", "xavier_normal": "gain", "orthogonal": "gain"}
    return getattr(init, zeros.get(init.name, ""), 1) == 0 or getattr(init, "sparsity", 0) == 1


@final
class IdleSchedule(StaticRule):
    """FF126: a schedule that begins after the end."""

    about: ClassVar[Code] = Code(
        code="FF126",
        title="a schedule that never acts",
        reason="A schedule counts epochs, or optimizer steps with interval: step. One that acts every 30 epochs does "
        "nothing in a training of 20, and a plateau of 50 epochs cannot be found in 40. Nor does a schedule of a "
        "weight decay or a dropout that is not there.",
        wrong="scheduler: {step: 200}\ntraining: {epochs: 100}\n",
        right="scheduler: {step: 30}\ntraining: {epochs: 100}\n",
        severity=Severity.WARNING,
        optional=True,
        source="torch.optim.lr_scheduler.StepLR, whose examples count epochs while many loops count batches",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Compare the first time a schedule acts with the length of the training."""
        yield from self._without_object(draft)
        plan, training, scheduler = draft.plan, draft.parts.get("training"), draft.parts.get("scheduler")
        if plan is None or scheduler is None or training is None or training.epochs == 0:
            return
        steps = None if plan.steps_per_epoch is None else plan.steps_per_epoch * plan.epochs
        path: Path = ("scheduler", scheduler.name)
        left = Length(plan.epochs, steps)
        *before, last = plan.schedule
        for phase in before:
            total = left.of(phase.interval)
            if total is not None and phase.length is not None and phase.length >= total:
                yield self._late("total_iters", phase.length, total, phase.interval, path)
                return
            left = left.after(phase.length or 0, phase.interval)
            scheduler = getattr(scheduler, "then", None)
            path = path if scheduler is None else (*path, "then", scheduler.name)
        total = left.of(last.interval)
        if total == 1 and last.call.arguments.get("lr_lambda") == "coslog4":
            message = (
                f"coslog4 begins with a rate of 0, and only one {'epoch' if last.interval == 'epoch' else 'step'} "
            )
            yield self.report(f"{message}is left to train", path, hint="train for longer, or leave it out")
        key, first = _first(last.call.arguments)
        if total is not None and first is not None and first >= total:
            yield self._late(key, first, total, last.interval, path)

    def _without_object(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look for what the schedules of weight decay and dropout multiply."""
        optimizer, training = draft.parts.get("optimizer"), draft.parts.get("training")
        schedules = None if training is None else training.schedules
        if schedules is None or draft.plan is None or optimizer is None:
            return
        path: Path = ("training", "schedules")
        if schedules.weight_decay is not None and not getattr(optimizer, "weight_decay", 0):
            message = f"there is no weight decay to change: that of {optimizer.name} is 0"
            yield self.report(message, (*path, "weight_decay"), hint="leave it out, or write a weight_decay")
        if schedules.dropout is not None and not any(step.call.target in DROPOUTS for step in walk(draft.steps)):
            message = "there is no dropout to change in the layers"
            yield self.report(message, (*path, "dropout"), hint="leave it out, or put dropout between the layers")

    def _late(self, key: str, first: int, total: int, interval: str, path: Path) -> Diagnostic:
        unit = {"epoch": "epochs", "step": "optimizer steps"}[interval]
        message = f"{key} must be less than the {total:,} {unit} left to train, found {first:,}: "
        does = "the warm-up never ends" if key == "total_iters" else "the schedule never acts"
        return self.report(message + does, (*path, key), hint="write a smaller number, or train for longer")


def _first(given: dict[str, Any]) -> tuple[str, int | None]:
    """Return the argument that says when a schedule first acts, and when that is."""
    if "milestones" in given:
        return "milestones", min(given["milestones"])
    for key in ("step_size", "patience"):
        if key in given:
            return key, given[key]
    return "", None
