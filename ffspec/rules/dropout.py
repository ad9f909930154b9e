"""Dropout: where it stands, and how much it takes away."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Severity
from ffspec.planner import UNKNOWN
from ffspec.rules.network import DROPOUTS, SILENT, chains, learns, name_of, removal
from ffspec.rules.rule import StaticRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Draft
    from ffspec.spec.step import Step


@final
class DropoutAtTheEnd(StaticRule):
    """FF116: dropout behind the last layer that learns."""

    about: ClassVar[Code] = Code(
        code="FF116",
        title="dropout on the output",
        reason="Dropout makes the layer behind it rely on no single unit. Behind the last layer there is none: a "
        "part of "
        "the answers is set to 0 at random while training, and no weight can make up for that. With p = 0.5 the "
        "training "
        "loss of digits stays at 1.003 instead of 0.047.",
        wrong="layers: [{linear: 8}, relu, linear, {dropout: 0.5}]\n",
        right="layers: [{linear: 8}, relu, {dropout: 0.5}, linear]\n",
        severity=Severity.WARNING,
        optional=True,
        source="measured on scikit-learn's digits; PaddlePaddle/Parakeet#74 to #76 (added, then reverted)",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Go backwards from the output to what learns; bce stops at a dropout, and FF104 says so."""
        loss = draft.parts.get("loss")
        if loss is not None and loss.output == "probability":
            return
        found: list[Step] = []
        for step in reversed(draft.steps):
            if step.call is UNKNOWN:
                return
            if learns(step):
                yield from (self._found(draft, item) for item in found)
                return
            if step.call.target in DROPOUTS and step.call.arguments["p"] > 0:
                found.append(step)

    def _found(self, draft: Draft, step: Step) -> Diagnostic:
        name = name_of(draft.parts, step)
        message = (
            f"{name} behind the last linear sets {step.call.arguments['p']:.0%} of the answers to 0 while training"
        )
        return self.report(
            message, step.path, hint="put it before the last linear, or leave it out", edit=removal(step)
        )


@final
class StrangeDropout(StaticRule):
    """FF117: dropout that does nothing, or too much."""

    about: ClassVar[Code] = Code(
        code="FF117",
        title="a dropout that does nothing, or too much",
        reason="With p = 0 it does nothing. With p above 0.8, or above 0.5 on the inputs themselves, little is left to "
        "learn from. Two in a row are one with another p. In front of batch_norm, dropout changes the variance that "
        "batch_norm measures while training, and in eval mode that is another one (arXiv 1801.05134).",
        wrong="layers: [{linear: 8}, relu, {dropout: 0.95}, linear]\n",
        right="layers: [{linear: 8}, relu, {dropout: 0.3}, linear]\n",
        severity=Severity.WARNING,
        optional=True,
        source="NeuraLint (arXiv 2105.08095); stackoverflow.com/q/39691902, /q/44695141; Li et al. 2018 (arXiv "
        "1801.05134)",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at every dropout and at its neighbours."""
        for chain in chains(draft.steps):
            steps = [step for step in chain if step.call.target not in SILENT]
            for index, step in enumerate(steps):
                if step.call.target not in DROPOUTS:
                    continue
                first = chain is draft.steps and index == 0
                before = steps[index - 1] if index else None
                behind = steps[index + 1] if index + 1 < len(steps) else None
                yield from self._judge(draft, step, (before, behind), first=first)

    def _judge(
        self, draft: Draft, step: Step, beside: tuple[Step | None, Step | None], *, first: bool
    ) -> Iterator[Diagnostic]:
        before, behind = beside
        name, p = name_of(draft.parts, step), step.call.arguments["p"]
        path = (*step.path, name, "p")
        if p == 0:
            message = f"{name} with p = 0 does nothing"
            yield self.report(message, step.path, hint="leave it out", severity=Severity.INFO, edit=removal(step))
        elif before is not None and before.call.target in DROPOUTS:
            p_both = 1 - (1 - p) * (1 - before.call.arguments["p"])
            message = f"two dropouts in a row are one with p = {p_both:.3g}"
            yield self.report(message, step.path, hint="leave one of them out", edit=removal(step, safe=False))
        elif p > 0.8:
            message = (
                f"{name} leaves {1 - p:.3g} of the units: p must be 0.8 or less for a layer to learn from the rest"
            )
            yield self.report(message, path, hint="0.1 to 0.5 are usual")
        elif first and p > 0.5:
            message = f"{name} hides {p:.3g} of the inputs from the network"
            yield self.report(message, path, hint="on the inputs 0.1 to 0.2 are usual")
        elif behind is not None and behind.call.target == "nn.BatchNorm1d":
            message = f"{name} in front of batch_norm shifts the variance between train and eval mode"
            yield self.report(message, step.path, hint="put it behind batch_norm", severity=Severity.INFO)
