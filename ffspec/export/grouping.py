"""The parameter groups of a script's optimizer: a function for the factors of a parameter, and one that sorts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.export.changing import trained
from ffspec.export.text import filled, literal
from ffspec.spec.grouping import modules, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject
    from ffspec.spec.grouping import ParameterGroup
    from ffspec.spec.step import Step

GROUPED = '''\
def grouped(parameters, lr, weight_decay):
    """Return a group for each pair of factors, in the order of the network."""
    names = {parameter: name for name, parameter in NETWORK.named_parameters()}
    groups = {}
    for parameter in parameters:
        groups.setdefault(factors(names[parameter]), []).append(parameter)
    return [
        {"params": params, "factor": rate, "lr": lr * rate, "weight_decay": weight_decay * decay}
        for (rate, decay), params in groups.items()
    ]'''
UNDECAYED = '''\
def grouped(parameters, lr):
    """Return a group for each factor of the learning rate, in the order of the network."""
    names = {parameter: name for name, parameter in NETWORK.named_parameters()}
    groups = {}
    for parameter in parameters:
        groups.setdefault(factors(names[parameter]), []).append(parameter)
    return [
        {"params": params, "factor": rate, "lr": lr * rate}
        for (rate, _), params in groups.items()
    ]'''
"""The groups of an optimizer without a weight decay."""


def has_groups(subject: Subject) -> bool:
    """Return whether some parameters have factors of their own."""
    return bool(getattr(subject.spec.optimizer, "groups", ()))


def add_groups(script: Script, subject: Subject) -> None:
    """Add the functions that sort parameters into groups, if there are any."""
    if has_groups(subject):
        script.add(*_factors(subject))
        text = GROUPED if hasattr(subject.spec.optimizer, "weight_decay") else UNDECAYED
        script.add(text.replace("NETWORK", trained(subject)))


def _factors(subject: Subject) -> list[str]:
    """Return the function that tells the factors of a parameter by its name."""
    lines = [
        "def factors(name):",
        '    """Return what the learning rate and the weight decay of a parameter are multiplied with."""',
        "    lr, weight_decay = 1.0, 1.0",
    ]
    for group in getattr(subject.spec.optimizer, "groups", ()):
        conditions = [*_conditions(group, subject.plan.steps)]
        body = [f"{name} *= {literal(value)}" for name, value in _changed(group)]
        if not body:
            continue
        indent = "    " if conditions else ""
        lines += [f"    if {' and '.join(conditions)}:"] if conditions else []
        lines += [f"    {indent}{line}" for line in body]
    return [*lines, "    return lr, weight_decay"]


def _changed(group: ParameterGroup) -> list[tuple[str, float]]:
    pairs = (("lr", group.lr), ("weight_decay", group.weight_decay))
    return [(name, value) for name, value in pairs if value != 1]


def _conditions(group: ParameterGroup, steps: Sequence[Step]) -> Iterator[str]:
    """Yield what must hold of the name of a parameter for an entry to hold for it."""
    if group.layers is not None:
        found = [f"{name}." for name, step in modules(steps) if names_of(step) & {*group.names}]
        # What is inside of another begins as that does.
        outer = [name for name in found if not any(name != other and name.startswith(other) for other in found)]
        listed = [literal(name) for name in outer]
        prefixes = listed[0] if len(listed) == 1 else filled("(", listed, ")", indent=8).strip()
        yield f"name.startswith({prefixes})"
    if group.parameters is not None:
        yield f'{"" if group.parameters == "bias" else "not "}name.endswith(".bias")'
