"""What a script fits on the validation split once the training is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.export.objective import target_of
from ffspec.spec.ensembles import members_of

if TYPE_CHECKING:
    from ffspec.export.subject import Subject

ROWS_AT_ONCE = 16_384
"""The rows ffspec evaluates at a time: in other parts, sums round otherwise."""


def output_of(subject: Subject, rows: int) -> str:
    """Return the output for so many rows `x`, or fewer, as an expression."""
    at_once = ROWS_AT_ONCE // members_of(subject.plan.steps)
    return f"torch.cat([model(part) for part in x.split({at_once})])" if rows > at_once else "model(x)"


def calibration(subject: Subject) -> list[str]:
    """Return the lines that fit what is fitted on the validation split."""
    if subject.plan.steps[-1].call.target != "ffspec.Temperature":
        return []
    autocast = ', torch.autocast("cpu", torch.bfloat16)' if subject.autocast else ""
    return [
        "# How sure the network may be: the temperature is 1 until now.",
        'x, y = splits["validation"]',
        "model.eval()",
        f"with torch.inference_mode(){autocast}:",
        f"    output = {output_of(subject, subject.sizes['validation'])}",
        "model.train()",
        f"model[-1].fit(output, {target_of(subject, 'y')})",
    ]
