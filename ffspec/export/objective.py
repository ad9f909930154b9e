"""The loss of a script, and the form of the target it compares the output with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ffspec.export.defaults import arguments_of
from ffspec.export.text import call, filled, literal

if TYPE_CHECKING:
    from ffspec.export.script import Script
    from ffspec.export.subject import Subject

PERCEPTRON = '''\
def criterion(output, target):
    """Rosenblatt's criterion: only rows on the wrong side count."""
    return (-target * output).clamp(min=0).mean()'''
UNITS = {"mse": 2, "l1": 1}
"""The losses that grow by a power of the target's unit."""
WORDS = {"probability": "0 or 1", "sign": "-1 or +1"}


def add_objective(script: Script, subject: Subject) -> None:
    """Add the loss, and the function that gives its target a form where it needs another than `y` has."""
    _add_form(script, subject)
    if subject.plan.loss.target == "ffspec.PerceptronLoss":
        script.add(PERCEPTRON)
        return
    script.add("# The loss.", *_criterion(script, subject))


def add_balanced_objective(script: Script, subject: Subject) -> None:
    """Add the loss of a second training where it is another: its weights are by the rows of that."""
    if "balanced" in map(str, subject.plan.loss.arguments.values()):
        renamed = (("y[train]", "y_train.numpy()"), ("len(train)", "len(y_train)"))
        lines = _criterion(script, subject)
        for old, new in renamed:
            lines = [line.replace(old, new) for line in lines]
        script.add("# The loss, its weights by the rows there are now.", *lines)


def _criterion(script: Script, subject: Subject) -> list[str]:
    """Return the lines that make the loss."""
    loss = subject.plan.loss
    lines: list[str] = []
    plain = {name: value for name, value in loss.arguments.items() if name not in {"weight", "pos_weight"}}
    arguments = arguments_of(replace(loss, arguments=plain))
    for name in ("weight", "pos_weight"):
        value = loss.arguments.get(name)
        if value is not None:
            if value == "balanced":
                script.use("numpy as np")
            lines += _weights(subject, name, value)
            arguments.append(f"{name}={name}")
    return [*lines, call(loss.target, arguments, head="criterion = ")]


def target_of(subject: Subject, name: str) -> str:
    """Return the target of the loss as an expression of the `y` called `name`."""
    if subject.spec.loss.target == "index":
        return name
    if subject.classes is None:
        return name if subject.double else f"{name}.float()"
    return f"as_target({name})"


def training_target(subject: Subject, name: str) -> str:
    """Return the target of the loss while training: with a target_scale, it is standardised."""
    if not scaled(subject):
        return target_of(subject, name)
    return f"model[-1].standardise({name})" + ("" if subject.double else ".float()")


def scaled(subject: Subject) -> bool:
    """Return whether the network ends with a target_scale."""
    return subject.plan.steps[-1].call.target == "ffspec.TargetScale"


def unit_of(subject: Subject) -> str:
    """Return what a loss of train mode is multiplied with to be in the units of an evaluation; empty for 1."""
    power = UNITS.get(subject.spec.loss.name)
    return f"model[-1].scale.double().pow({power}).mean().item()" if scaled(subject) and power else ""


def _add_form(script: Script, subject: Subject) -> None:
    form, classes = subject.spec.loss.target, subject.classes
    if form == "index" or classes is None:
        return
    columns = "y.unsqueeze(1)" if classes <= 2 else f"nn.functional.one_hot(y, {classes})"
    signed = f"({columns} * 2 - 1)" if form == "sign" else columns
    shape = "in a column, as the output has it" if classes <= 2 else "in a column for each class"
    script.add(
        "def as_target(y):",
        f'    """Return {WORDS.get(form, "0 or 1")} for each row, {shape}."""',
        f"    return {signed}.{subject.cast}",
    )


def _weights(subject: Subject, name: str, value: object) -> list[str]:
    dtype = ", dtype=torch.float64" if subject.double else ""
    if value != "balanced":
        listed = [literal(float(one)) for one in value] if isinstance(value, tuple) else None
        if listed is None:
            return [f"{name} = torch.tensor({literal(value)}{dtype})"]
        return [filled(f"{name} = torch.tensor([", listed, f"]{dtype})")]
    counts = subject.counts
    if 0 in counts:
        return [filled(f"{name} = torch.tensor([", map(literal, _balanced(name, counts)), f"]{dtype})")]
    if name == "weight":
        value = "len(train) / (len(counts) * counts)"
    else:
        value = "counts[0] / counts[1]" if len(counts) == 2 else "(len(train) - counts) / counts"
    return ["counts = np.bincount(y[train])", f"{name} = torch.tensor({value}, dtype={subject.dtype})"]


def _balanced(name: str, counts: list[int]) -> list[float]:
    """Return the weights where a class has no row to train on: no formula would."""
    rows = sum(counts)
    if name == "weight":
        return [rows / (len(counts) * count) if count else 0.0 for count in counts]
    if len(counts) == 2:
        return [counts[0] / counts[1] if counts[1] else 1.0]
    return [(rows - count) / count if count else 1.0 for count in counts]
