"""A training that is compiled, where that cannot pay."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Edit, Severity
from ffspec.planner import walk
from ffspec.rules.rule import StaticRule
from ffspec.spec.training import PASSES
from ffspec.written import uncompiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Draft, Plan

PATH = ("training", "compile")
COMPILING = 3.0
"""Seconds it takes at least: to import the compiler, and to find what it has made before."""
STEP, LAYER = 200e-6, 50e-6
"""Seconds a step takes at most without the operations of its layers, and what each layer adds to them."""
RATE = 5e8
"""Operations of a second, at least; ten times slower than one core is."""


@final
class Compiling(StaticRule):
    """FF130: a training that is over sooner than it would be compiled."""

    about: ClassVar[Code] = Code(
        code="FF130",
        title="compiling that cannot pay",
        reason="Compiling takes ten seconds and more, and three if the same network has been compiled before; it saves "
        "at most half of every step. A training that is over in less than those three seconds can only become slower. "
        "Nor is anything compiled on a GPU, or with a dropout that changes from step to step. It needs a C++ compiler, "
        "with the headers of Python.",
        wrong="training: {epochs: 10, compile: true}\n",
        right="training: {epochs: 10}\n",
        severity=Severity.WARNING,
        optional=True,
        source="python -m tests.bench.compiled; Ansel et al. 2024, PyTorch 2 (doi 10.1145/3620665.3640366)",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Compare the longest a training can take with the least that compiling does."""
        training, plan = draft.parts.get("training"), draft.plan
        if training is None or not training.compile:
            return
        why, edit = uncompiled(training, draft.steps), Edit(action="remove", path=PATH)
        if why:
            yield self.report(f"compile has no effect here: {why}", PATH, hint="leave it out", edit=edit)
            return
        most = None if plan is None else longest(plan, draft.facts.rows.get("train"), training.batch_size)
        if most is not None and most < COMPILING:
            message = f"compiling takes {COMPILING:g} seconds at least, and the training not even {max(most, 0.1):.1f}"
            yield self.report(message, PATH, hint="leave it out", edit=edit)

    def missing(self) -> Diagnostic:
        """Return the finding that there is nothing to compile with."""
        message = "compile needs a C++ compiler, and neither g++ nor clang++ is there"
        hint = "install one (on Debian: apt install g++ python3-dev), or leave compile out"
        return self.report(message, PATH, hint=hint, severity=Severity.ERROR)


def longest(plan: Plan, rows: int | None, batch_size: int | str) -> float | None:
    """Return seconds a training takes at most, on a slow machine; None where its steps are not known."""
    if plan.steps_per_epoch is None or plan.flops is None or rows is None:
        return None
    size = min(batch_size, rows) if isinstance(batch_size, int) else rows
    step = STEP + LAYER * len([*walk(plan.steps)]) + PASSES * plan.flops * size / RATE
    return plan.epochs * plan.steps_per_epoch * step
