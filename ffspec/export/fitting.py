"""What the network of a script takes from the training rows before training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.export.objective import scaled

if TYPE_CHECKING:
    from ffspec.export.script import Script
    from ffspec.export.subject import Subject


def add_fitting(script: Script, subject: Subject) -> None:
    """Add the lines that fit layers to the training rows, where there are such layers."""
    lines = _of_rows(subject)
    if scaled(subject):
        lines.append("model[-1].fit(y_train)")
    if lines:
        script.add("# What layers know of the training rows.", *lines)


def _of_rows(subject: Subject) -> list[str]:
    """Return the lines that fit layers to what those in front of them make of the rows."""
    fits = []
    for place, step in enumerate(subject.plan.steps):
        inner = "[0]" if step.call.target == "ffspec.Ensemble" else ""  # of a member, only the first sees the rows
        first = step.steps[0] if inner else step
        if first.call.target == "ffspec.PiecewiseLinear":
            fits.append(f"model[{place}]{inner}.fit({f'model[:{place}](x_train)' if place else 'x_train'})")
    if not any("model[:" in fit for fit in fits):
        return fits
    return ["model.eval()", "with torch.no_grad():", *(f"    {line}" for line in fits), "model.train()"]
