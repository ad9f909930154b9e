"""The compiled step of a script: the same function as the run's, compiled in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.export.changing import trained
from ffspec.export.classes import add_classes
from ffspec.export.ensembles import repeated
from ffspec.export.objective import training_target
from ffspec.spec.ensembles import are_independent, members_of
from ffspec.written import uncompiled

if TYPE_CHECKING:
    from ffspec.export.script import Script
    from ffspec.export.subject import Subject


def is_compiled(subject: Subject) -> bool:
    """Return whether the steps of a training are compiled."""
    training = subject.spec.training
    return training.compile and not uncompiled(training, subject.plan.steps)


def compiling(script: Script, subject: Subject) -> list[str]:
    """Add what compiles, and return the lines that do it before the loop."""
    add_classes(script, ("compile_gradients",))
    forward = f"return self.criterion(self.network(x), {repeated(subject, 'y')})"
    cast = ['with torch.autocast("cpu", torch.bfloat16):', f"    {forward}"] if subject.autocast else [forward]
    script.add(
        "class Objective(nn.Module):",
        '    """A network and its loss as one function of the rows and what they are compared with."""',
        "",
        "    def __init__(self, network, criterion):",
        "        super().__init__()",
        "        self.network, self.criterion = network, criterion",
        "",
        "    def forward(self, x, y):",
        *(f"        {line}" for line in cast),
    )
    target = training_target(subject, "y_train")
    if target != "y_train":
        target = "target" if subject.batch_size is None else "target_train"
    steps = subject.plan.steps
    factor = f", factor={members_of(steps)}" if are_independent(steps) else ""
    part = "" if subject.batch_size is None else "[:BATCH_SIZE]"
    return [
        "# Compiled for batches of this size; the last bits are those of the compiler.",
        f"objective = Objective({trained(subject)}, criterion)",
        f"gradients = compile_gradients(objective, x_train{part}, {target}{part}{factor})",
    ]


def compiled(subject: Subject, x: str, y: str, otherwise: list[str]) -> list[str]:
    """Return the lines that compute the loss and all gradients; `otherwise` does for a batch of another size."""
    lines = [
        f"loss, *found = gradients({x}, {y})",
        f"for parameter, gradient in zip({trained(subject)}.parameters(), found):",
        "    parameter.grad = gradient",
    ]
    size, rows = subject.batch_size, subject.sizes["train"]
    if size is None or subject.spec.training.drop_last or rows % size == 0:
        return lines
    indented = [f"    {line}" for line in lines]
    return [f"if len({x}) == BATCH_SIZE:", *indented, "else:", *(f"    {line}" for line in otherwise)]
