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


def probability_of(subject: Subject) -> str | None:
    """Return the probabilities of the classes as an expression, where the loss makes the output mean that."""
    match subject.spec.loss.output:
        case "logits" | "log_probabilities":
            return "output.double().softmax(dim=1)"
        case "logit":
            return "output.double().sigmoid()"
        case "probability":
            return "output.double()"
    return None


def calibration(subject: Subject) -> list[str]:
    """Return the lines that fit what is fitted on the validation split."""
    tempered = subject.plan.steps[-1].call.target == "ffspec.Temperature"
    measure = subject.spec.training.threshold
    if not tempered and measure is None:
        return []
    autocast = ', torch.autocast("cpu", torch.bfloat16)' if subject.autocast else ""
    looked = [
        f"with torch.inference_mode(){autocast}:",
        f"    output = {output_of(subject, subject.sizes['validation'])}",
    ]
    lines = ["# What is fitted on the validation split.", 'x, y = splits["validation"]', "model.eval()"]
    if tempered:
        lines += [*looked, f"model[-1].fit(output, {target_of(subject, 'y')})"]
    if measure is not None:
        column = ".squeeze(1)" if subject.plan.output[-1] == 1 else "[:, 1]"
        lines += [*looked, f'threshold = best_threshold({probability_of(subject)}{column}, y, "{measure}")']
    return [*lines, "model.train()"]


def check_after(subject: Subject) -> str:
    """Return the line of the check after training."""
    return 'after = check("after")' if subject.spec.training.threshold is None else 'after = check("after", threshold)'
