"""What the network of a script takes from the training rows before training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.export.objective import scaled, training_target
from ffspec.planner import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject
    from ffspec.spec.step import Step


def add_fitting(script: Script, subject: Subject) -> None:
    """Add the lines that fit layers to the training rows, where there are such layers."""
    rows, targets = _of_rows(subject), ["model[-1].fit(y_train)"] if scaled(subject) else []
    corrected = any(step.call.target == "ffspec.RidgeResidual" for step in walk(subject.plan.steps))
    lines = [*targets, *rows] if corrected else [*rows, *targets]  # it is fitted to standardised targets
    if lines:
        script.add("# What layers know of the training rows.", *lines)


def _of_rows(subject: Subject) -> list[str]:
    """Return the lines that fit layers to what those in front of them make of the rows."""
    target = training_target(subject, "y_train")
    fits: list[str] = []
    for place, step in enumerate(subject.plan.steps):
        rows = f"model[:{place}](x_train)" if place else "x_train"
        fits += _fits(step, f"model[{place}]", rows, target)
    if not any("model[:" in fit for fit in fits):
        return fits
    return ["model.eval()", "with torch.no_grad():", *(f"    {line}" for line in fits), "model.train()"]


def _fits(step: Step, name: str, rows: str, target: str) -> Iterator[str]:
    """Yield the lines that fit a layer, and the first one inside it: of others, the planner knows they need no fit."""
    match step.call.target:
        case "ffspec.PiecewiseLinear":
            yield f"{name}.fit({rows})"
        case "ffspec.RidgeResidual":
            yield f"{name}.fit({rows}, {target})"
            yield from _fits(step.steps[0], f"{name}[0]", rows, target)
        case "ffspec.Ensemble":
            yield from _fits(step.steps[0], f"{name}[0]", rows, target)
