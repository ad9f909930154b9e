"""The target and the output: whether the network can say what it is to learn."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Severity
from ffspec.planner import target_kind
from ffspec.rules.heads import head
from ffspec.rules.network import NORMALISERS, UNITS, in_words, name_of, range_of, removal
from ffspec.rules.rule import DataRule, StaticRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.data import Loaded
    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Draft
    from ffspec.spec.step import Step

SOFT = frozenset({"nn.Softplus", "nn.ELU", "nn.CELU", "nn.SELU", "nn.SiLU", "nn.GELU", "nn.Mish", "nn.Hardswish"})
"""Activations with a bound that are chosen for it, or hardly felt: only the targets themselves can speak against "
"them."""


@final
class NarrowOutput(StaticRule, DataRule):
    """FF106: an output that cannot take the values of the target."""

    about: ClassVar[Code] = Code(
        code="FF106",
        title="the output cannot reach the target",
        reason="What ends with relu never predicts a negative number, and what ends with sigmoid none outside 0 and "
        "1. A "
        "standardised target is negative for half of the rows: R2 falls from 0.546 to 0.326 with relu, to 0.292 with "
        "sigmoid. The output of a regression is a linear's.",
        wrong="dataset: friedman1\nlayers: [{linear: 8}, relu, linear, relu]\nloss: mse\n",
        right="dataset: friedman1\nlayers: [{linear: 8}, relu, linear]\nloss: mse\n",
        severity=Severity.WARNING,
        optional=True,
        source="stackoverflow.com/q/60801900, 'model predicts negative values as zeros'; measured on diabetes",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the last layer, and at the targets if the spec itself holds them."""
        step, dataset = self._step(draft), draft.parts.get("dataset")
        if step is None or dataset is None or draft.facts.target == "classes":
            return
        if draft.parts["loss"].output == "log_rate":
            yield from self._rate(draft, step)
            return
        inline = None if _scaled(draft) else getattr(dataset.source, "y", None)
        if inline is not None:
            numbers = _numbers(inline)
            low, high = range_of(step)
            outside = sum(not low <= number <= high for number in numbers)
            yield from self._compare(draft, step, outside, len(numbers))
        elif step.call.target not in SOFT:
            name = name_of(draft.parts, step)
            message = f"the predictions can be any number, but {name} returns {in_words(*range_of(step))}"
            yield self.report(message, step.path, hint=f"leave {name} out", edit=removal(step, safe=False))

    def inspect(self, draft: Draft, loaded: Loaded) -> Iterator[Diagnostic]:
        """Compare the training targets with what the last layer can return."""
        step = self._step(draft)
        if step is not None and draft.parts["loss"].output == "log_rate":
            yield from self._rate(draft, step)
        elif step is not None:
            y = loaded.splits["train"].y
            targets = (_standardised(y) if _scaled(draft) else y).reshape(-1)
            low, high = range_of(step)
            yield from self._compare(draft, step, int(((targets < low) | (targets > high)).sum()), len(targets))

    def _step(self, draft: Draft) -> Step | None:
        """Return the last layer, if it bounds an output that is taken for a number."""
        loss, last = draft.parts.get("loss"), head(draft)
        if last is None or loss is None or loss.output not in {"value", "log_rate"}:
            return None
        constant = last.call.target in NORMALISERS and last.output[-1] == 1  # another rule says so
        bounded = any(isfinite(bound) for bound in range_of(last)) and not constant
        return last if bounded and target_kind(draft.parts) == "values" else None

    def _rate(self, draft: Draft, step: Step) -> Iterator[Diagnostic]:
        """Report an output that is taken for the logarithm of a rate, and is no free number."""
        name = name_of(draft.parts, step)
        message = (
            f"poisson_nll takes the output for the logarithm of a rate, but {name} returns {in_words(*range_of(step))}"
        )
        hint = f"leave {name} out: the exponential is inside the loss"
        yield self.report(message, step.path, hint=hint, edit=removal(step, safe=step.call.target not in SOFT))

    def _compare(self, draft: Draft, step: Step, outside: int, total: int) -> Iterator[Diagnostic]:
        if outside:
            name = name_of(draft.parts, step)
            bounds = in_words(*range_of(step))
            rows = f"{outside:,} of {total:,} targets {'is' if outside == 1 else 'are'} not"
            yield self.report(
                f"the output must reach the targets, but {name} returns {bounds}, and {rows}",
                step.path,
                hint=f"leave {name} out",
                severity=Severity.ERROR,
                edit=removal(step),
            )


def _scaled(draft: Draft) -> bool:
    """Return whether the last layer is compared with standardised targets."""
    return any(step.call.target in UNITS for step in draft.steps)


def _standardised(y: Any) -> Any:
    """Return the targets as the network sees them, (N, C)."""
    deviations = y.std(axis=0)
    return (y - y.mean(axis=0)) / (deviations + (deviations == 0))


def _numbers(inline: Any) -> list[float]:
    """Return the numbers among the targets a spec holds."""
    flat = [item for target in inline for item in (target if isinstance(target, tuple) else (target,))]
    return [item for item in flat if isinstance(item, int | float)]
