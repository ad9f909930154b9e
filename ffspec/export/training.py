"""The trainings of a script, mostly one: what comes before and after the loop, and what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.export.fitting import add_fitting
from ffspec.export.loop import Loop
from ffspec.export.measures import require_defined
from ffspec.export.objective import add_balanced_objective
from ffspec.export.steps import add_optimizer
from ffspec.export.text import literal
from ffspec.spec.metrics import larger_is_better

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject

KEPT = ("model.eval()  # as it is used from here on", 'save_file(model.state_dict(), HERE / "model.safetensors")')


def add_start(script: Script, subject: Subject) -> None:
    """Add a copy of the first weights, if there is a second training."""
    if subject.again is not None:
        script.use("copy")
        script.add("start = copy.deepcopy(model)  # for the second training")


def add_training(script: Script, subject: Subject) -> None:
    """Add the check before, the loop, the check after, what is kept, and what must hold; a second training if asked."""
    loop = Loop(script, subject)
    script.add(*loop.opening(), 'before = check("before")')
    script.add(*loop.lines())
    script.use("safetensors.torch", "save_file")
    script.use("pathlib", "Path")
    if subject.again is None:
        script.add(*loop.closing(), *KEPT)
    else:
        script.add(*loop.closing())
        _add_second(script, subject.again, "best_epoch" if subject.spec.training.early_stopping else "EPOCHS")
    checks = [*_checks(subject)]
    if checks:
        script.add("# What must hold.", *checks)


def _add_second(script: Script, subject: Subject, epochs: str) -> None:
    """Add the second training: all but the network's text and its first weights is said again, for other rows.

    Args:
        script: The script.
        subject: The second training.
        epochs: How many epochs it takes, as an expression.
    """
    tempered = subject.plan.steps[-1].call.target == "ffspec.Temperature"
    rest = ', "test": splits["test"]' if "test" in subject.rows else ""
    script.add(
        "# Once more, on the rows of training and validation together.",
        'x_train, y_train = map(torch.cat, zip(splits["train"], splits["validation"]))',
        f'splits = {{"train": (x_train, y_train){rest}}}',
        "first, model = model, start" if tempered else "model = start",
    )
    add_fitting(script, subject)
    add_balanced_objective(script, subject)
    add_optimizer(script, subject)
    loop = Loop(script, subject, second=True)
    script.add(*loop.opening())
    script.add(*loop.lines(epochs))
    threshold = "" if subject.spec.training.threshold is None else ", threshold"
    sure = ["model[-1].temperature.copy_(first[-1].temperature)"] if tempered else []
    script.add(*sure, f'after |= check("again"{threshold})  # validation stays the first one\'s', *KEPT)


def _checks(subject: Subject) -> Iterator[str]:
    checks = subject.spec.checks
    for measure in checks.improving:
        require_defined(subject, measure, ("checks", "improves"))
        sign = ">" if larger_is_better(measure) else "<"
        yield f"assert {_of('after', measure)} {sign} {_of('before', measure)}"
    for measure, bound in checks.bounds.items():
        require_defined(subject, measure, ("checks", measure))
        for sign, value in ((">=", bound.min), ("<=", bound.max)):
            if value is not None:
                yield f"assert {_of('after', measure)} {sign} {literal(value)}"


def _of(when: str, measure: str) -> str:
    split, _, name = measure.partition(".")
    return f'{when}["{split}"]["{name}"]'
