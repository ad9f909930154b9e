"""The planner: folds the layers over the shape of a row into a Plan, which everything else reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

from ffspec.diagnostics import Diagnostic, Edit, Path, SpecError
from ffspec.limits import cores
from ffspec.spec.ensembles import (
    Ensemble,
    combination,
    ending,
    find_ensemble,
    fitted,
    lowered,
    opened,
    unfittable,
    unstackable,
)
from ffspec.spec.facts import Facts, TargetKind
from ffspec.spec.kinds import ColumnLayer, Layer, Length, Phase
from ffspec.spec.layers import Linear, Repeat, Residual
from ffspec.spec.metrics import find_metric
from ffspec.spec.outputs import last_linear, output_problems, outputs_needed, with_output
from ffspec.spec.placing import Columns, misplaced, uncorrected
from ffspec.spec.step import Call, Misfit, Shape, Step, times
from ffspec.spec.training import settled, threads_for

if TYPE_CHECKING:
    from ffspec.spec.dataset import Dataset
    from ffspec.spec.kinds import Block, Loss
    from ffspec.spec.root import Spec

STEP_LIMIT = 10_000
PARAMETER_LIMIT = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A spec with every shape worked out and every torch call as data; what only the data can tell is None."""

    facts: Facts
    steps: tuple[Step, ...]
    loss: Call
    optimizer: Call
    schedule: tuple[Phase, ...] = ()
    steps_per_epoch: int | None
    epochs: int
    """Passes over the training split: as many as the spec says, and its `max_steps` lets."""

    @property
    def input(self) -> Shape:
        """The shape of a row."""
        return (self.facts.features,)

    @property
    def output(self) -> Shape:
        """The shape of a row's prediction."""
        return self.steps[-1].output if self.steps else self.input

    @property
    def parameters(self) -> int | None:
        """Trainable numbers in all."""
        return total(step.parameters for step in walk(self.steps))

    @property
    def flops(self) -> int | None:
        """Floating-point operations of one row's forward pass."""
        return total(step.flops for step in walk(self.steps))


def plan(spec: Spec, facts: Facts | None = None) -> Plan:
    """Work out a spec's shapes, counts and torch calls.

    Args:
        spec: The spec.
        facts: The shape of the loaded data; what follows from the spec alone if left out.

    Raises:
        SpecError: A layer cannot take the shape it receives, or the output does not fit the target.
    """
    made = draft(dict(spec), facts)
    if made.plan is None or made.problems:
        raise SpecError(made.problems)
    return made.plan


def settle(spec: Spec, facts: Facts) -> Spec:
    """Return a spec with what depends on the number of rows, and on the size of the network, settled if it is known."""
    rows = facts.rows.get("train")
    training = settled(spec.training, rows)
    if training.threads == "auto":
        made = draft(dict(spec), facts).plan
        threads = threads_for(training, None if made is None else made.flops, rows, cores())
        training = training.model_copy(update={"threads": threads})
    return spec if training is spec.training else spec.model_copy(update={"training": training})


def replan(spec: Spec, made: Plan, rows: Mapping[str, int | None]) -> tuple[Spec, Plan]:
    """Return the spec and the plan of another training on other rows (`refit`), among them none for validation.

    Its schedule is over as many epochs as that of the first. Where that looked for a plateau on the validation split,
    there is the training loss left to look at, as where no measure is named.

    Args:
        spec: The spec of the first training, settled.
        made: Its plan.
        rows: How many rows there are of each split.
    """
    changed = {"early_stopping": None, "max_steps": None, "epochs": made.epochs, "refit": False}
    spec = spec.model_copy(update={"training": spec.training.model_copy(update=changed)})
    again = plan(spec, replace(made.facts, rows={**rows}))
    return spec, replace(again, schedule=tuple(map(_unvalidated, again.schedule)))


def _unvalidated(phase: Phase) -> Phase:
    return replace(phase, monitor="") if (phase.monitor or "").startswith("validation.") else phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What can be planned of a spec that need not be whole."""

    parts: Mapping[str, Any]
    """The valid top-level values by key."""
    facts: Facts
    steps: tuple[Step, ...]
    """The steps of the layers, those of an ensemble as those of a member; UNKNOWN stands for one that is not valid."""
    problems: tuple[Diagnostic, ...]
    """What does not fit."""
    plan: Plan | None
    """None where a part it needs is missing."""


UNKNOWN = Call("unknown")
"""Stands where a layer cannot be planned."""


def draft(parts: Mapping[str, Any], facts: Facts | None = None) -> Draft:
    """Plan what can be planned of a spec that need not be whole; see `plan`.

    Args:
        parts: The valid top-level values by key; an invalid layer is None.
        facts: As for `plan`.
    """
    facts = static_facts(parts) if facts is None else facts
    if parts.get("training") is not None:
        parts = {**parts, "training": settled(parts["training"], facts.rows.get("train"))}
    layers: Sequence[Layer | Block | None] = parts.get("layers") or ()
    loss: Loss | None = parts.get("loss")
    fold = _Fold(loss, ending(layers), Columns.of(facts))
    steps, output = fold.run(
        with_output(layers, outputs_needed(loss, facts)), (facts.features,), ("layers",), ends=True
    )
    problems = [*fold.problems, *misplaced(layers, loss, facts.target), *uncorrected(layers, loss, facts.target)]
    if loss is not None and layers:
        problems += output_problems(layers, loss, facts, target_kind(parts), output)
    if find_ensemble(steps) is not None and getattr(parts.get("optimizer"), "name", "") == "muon":
        message = "muon is made for single matrices, but an ensemble has a stack of them in each linear"
        problems.append(Diagnostic(code="FF128", message=message, path=("optimizer",), hint="write adamw, say"))
    made = None if None in layers or not steps else _plan(parts, facts, steps)
    return Draft(parts=parts, facts=facts, steps=opened(steps), problems=tuple(problems), plan=made)


def _plan(parts: Mapping[str, Any], facts: Facts, steps: tuple[Step, ...]) -> Plan | None:
    """Return the plan of the steps, or None where a part it needs is missing."""
    loss, optimizer, training = parts.get("loss"), parts.get("optimizer"), parts.get("training")
    if loss is None or optimizer is None or training is None:
        return None
    per_epoch = steps_in(facts.rows.get("train"), training.batch_size, drop_last=training.drop_last)
    epochs = epochs_in(training.epochs, per_epoch, training.max_steps)
    length = Length(epochs, None if per_epoch is None else epochs * per_epoch)
    scheduler = parts.get("scheduler")
    return Plan(
        facts=facts,
        steps=steps,
        loss=loss.call(),
        optimizer=optimizer.call(),
        schedule=scheduler.phases(length) if scheduler else (),
        steps_per_epoch=per_epoch,
        epochs=epochs,
    )


def static_facts(parts: Mapping[str, Any]) -> Facts:
    """Return what follows of the data from the spec alone; nothing where the dataset is not valid."""
    dataset: Dataset | None = parts.get("dataset")
    return Facts() if dataset is None else dataset.facts(target_kind(parts))


def target_kind(parts: Mapping[str, Any]) -> TargetKind | None:
    """Return what the target is wanted as, where it could be read either way.

    A loss on classes wants classes. A loss on numbers wants numbers, unless what is measured are classes (squared error
    on a perceptron's 0 and 1, judged by accuracy).
    """
    loss: Loss | None = parts.get("loss")
    if loss is None:
        return None
    checks = parts.get("checks")
    named = [*(parts.get("metrics") or ())]
    if checks is not None:
        named += [measure.partition(".")[2] for measure in (*checks.improving, *checks.bounds)]
    found = [metric for metric in map(find_metric, named) if metric is not None]
    return "classes" if loss.target != "value" or any(metric.target == "classes" for metric in found) else "values"


def walk(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield every step, those inside a block after it."""
    for step in steps:
        yield step
        yield from walk(step.steps)


def total(counts: Iterator[int | None]) -> int | None:
    """Add numbers, None if one is unknown."""
    result = 0
    for count in counts:
        if count is None:
            return None
        result += count
    return result


def steps_in(rows: int | None, batch_size: int | str, *, drop_last: bool) -> int | None:
    """Return the optimizer steps of one epoch."""
    if batch_size == "all":
        return 1
    if rows is None or isinstance(batch_size, str):
        return None
    return rows // batch_size if drop_last else ceil(rows / batch_size)


def epochs_in(epochs: int, per_epoch: int | None, max_steps: int | None) -> int:
    """Return how many epochs there are, if there are to be no more than `max_steps` steps in all."""
    return epochs if max_steps is None or not per_epoch else min(epochs, max(1, max_steps // per_epoch))


class _Fold:
    """One pass over the layers: the shape on its way through them, and the faults met."""

    def __init__(self, loss: Loss | None, ensemble: int | None, columns: Columns) -> None:
        self._loss = loss
        self._ensembles = ("layers", ensemble)
        self.problems: list[Diagnostic] = []
        self._columns = columns
        self._count = 0
        self._parameters = 0
        self._seen: set[tuple[Path, str]] = set()

    def run(
        self, layers: Sequence[Layer | Block | None], shape: Shape, path: Path, *, ends: bool = False
    ) -> tuple[tuple[Step, ...], Shape]:
        """Lower `layers` one after the other; behind a fault the width is unknown, so that it is reported once.

        Where they end the network, the last linear may have no width of its own.
        """
        steps: list[Step] = []
        last = last_linear(layers) if ends else None
        for index, layer in enumerate(layers):
            here = (*path, index)
            self._count += 1
            if self._count > STEP_LIMIT:
                if self._count == STEP_LIMIT + 1:  # what encloses it is over the limit too
                    message = f"a network may have at most {STEP_LIMIT:,} layers, repeats written out"
                    self._report("FF020", message, here)
                return (*steps, Step(call=UNKNOWN, input=shape, output=(None,), path=here)), (None,)
            if layer is None:
                steps.append(Step(call=UNKNOWN, input=shape, output=(None,), path=here))
                shape = (None,)
                self._columns = self._columns.behind(layer)
            elif isinstance(layer, Repeat):
                made, shape = self._repeat(layer, shape, here)
                steps += made
            elif isinstance(layer, Residual | Ensemble):
                step, shape = self._block(layer, shape, here)
                steps.append(step)
            elif isinstance(layer, Layer):
                if isinstance(layer, Linear) and layer.out_features is None and index != last:
                    self._report(
                        "FF021",
                        "out_features must be written: only the last linear may leave it out",
                        here,
                        "write linear: 64, say",
                    )
                step, shape = self._leaf(layer, shape, here)
                steps.append(step)
        return tuple(steps), shape

    def _repeat(self, layer: Repeat, shape: Shape, here: Path) -> tuple[tuple[Step, ...], Shape]:
        steps: list[Step] = []
        for _ in range(layer.times):
            made, shape = self.run(layer.layers, shape, (*here, layer.name, "layers"))
            steps += made
            if self._count > STEP_LIMIT:
                break
        return tuple(steps), shape

    def _leaf(self, layer: Layer, shape: Shape, here: Path) -> tuple[Step, Shape]:
        try:
            found = self._columns.step_of(layer, shape) if isinstance(layer, ColumnLayer) else layer.as_step(shape)
            step = replace(found, path=here, layer=layer.name)
        except Misfit as misfit:
            path = (*here, layer.name, misfit.argument) if misfit.argument else here
            edit = None
            if misfit.instead is not None:  # the layer before may be what is wrong
                edit = Edit(action="replace", path=path, value=misfit.instead, safe=False)
            self._report(misfit.code, misfit.message, path, misfit.hint, edit)
            return Step(call=UNKNOWN, input=shape, output=(None,), path=here, layer=layer.name), (None,)
        finally:
            self._columns = self._columns.behind(layer)
        before, self._parameters = self._parameters, self._parameters + (step.parameters or 0)
        if before <= PARAMETER_LIMIT < self._parameters:
            self._report("FF020", f"a network may have at most {PARAMETER_LIMIT:,} parameters", here)
        return step, step.output

    def _block(self, layer: Residual | Ensemble, shape: Shape, here: Path) -> tuple[Step, Shape]:
        if isinstance(layer, Residual):
            return self._residual(layer, shape, here)
        return self._ensemble(layer, shape, here)

    def _ridge_residual(self, layer: Residual, shape: Shape, here: Path) -> tuple[Step, Shape]:
        steps, output = self.run(layer.layers, shape, (*here, layer.name, "layers"), ends=True)
        self._columns = self._columns.behind(layer)
        call = Call("ffspec.RidgeResidual", {"in_features": shape[-1], "out_features": output[-1]})
        flops = times(shape[-1], 2 * (output[-1] or 0))
        made = Step(call=call, input=shape, output=output, flops=flops, path=here, layer=layer.name, steps=steps)
        return made, output

    def _residual(self, layer: Residual, shape: Shape, here: Path) -> tuple[Step, Shape]:
        if layer.shortcut is not None:
            return self._ridge_residual(layer, shape, here)
        self._columns = self._columns.behind(layer)
        steps, inner = self.run(layer.layers, shape, (*here, layer.name, "layers"))
        if None not in shape and None not in inner and shape != inner:
            self._report(
                "FF022",
                f"the layers of a residual must keep the width: they receive {shape[-1]} and return {inner[-1]}",
                here,
                f"end them with linear: {shape[-1]}",
            )
        width = shape[-1]
        call = Call("ffspec.Residual")
        made = Step(call=call, input=shape, output=shape, flops=width, path=here, layer=layer.name, steps=steps)
        return made, shape

    def _ensemble(self, layer: Ensemble, shape: Shape, here: Path) -> tuple[Step, Shape]:
        if here != self._ensembles:
            message = "an ensemble must be the last of the layers: its members answer together"
            self._report("FF128", message, here, "put what stands behind it into its layers")
        before = self._parameters
        if layer.share is not None:  # each member has factors in front
            self._columns = replace(self._columns, changed_by=layer.name)
        steps, output = self.run(layer.layers, shape, (*here, layer.name, "layers"), ends=True)
        for step in unfittable(steps) if layer.share is None else ():
            message = f"{step.layer} is fitted on the rows, which only the first layer of an ensemble sees as they are"
            self._report("FF128", message, step.path, "put it first, or in front of the ensemble")
        for step in unstackable(steps) if layer.share is None else fitted(steps):
            message = "a layer of an ensemble must have a form for all members at once; this one has none"
            self._report("FF128", message, step.path, "put it in front of the ensemble: its members then share it")
        if layer.share is not None and last_linear(layer.layers) is None:
            message = "an ensemble that shares its hidden layers must end with a linear: each member has its own"
            self._report("FF128", message, here, "add linear to its layers")
        self._columns = self._columns.behind(layer)
        made = lowered(layer, shape, steps, combination(self._loss), here)
        self._parameters = before + (total(step.parameters for step in walk((made,))) or 0)
        if before <= PARAMETER_LIMIT < self._parameters:
            self._report("FF020", f"a network may have at most {PARAMETER_LIMIT:,} parameters", here)
        return made, output

    def _report(self, code: str, message: str, path: Path, hint: str | None = None, edit: Edit | None = None) -> None:
        """Add a fault, once for all turns of a repeat."""
        if (path, code) not in self._seen:
            self._seen.add((path, code))
            self.problems.append(Diagnostic(code=code, message=message, path=path, hint=hint, edit=edit))
