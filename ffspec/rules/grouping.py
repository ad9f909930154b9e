"""What parameter groups and schedules must find in the network and the optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Edit, Severity
from ffspec.planner import UNKNOWN, walk
from ffspec.rules.rule import StaticRule
from ffspec.spec.grouping import kinds, names_of
from ffspec.suggest import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.diagnostics import Diagnostic, Path
    from ffspec.planner import Draft
    from ffspec.spec.grouping import ParameterGroup
    from ffspec.spec.step import Step


@final
class StrangeGroups(StaticRule):
    """FF040: groups of parameters that are not there."""

    about: ClassVar[Code] = Code(
        code="FF040",
        title="factors for parameters that are not there",
        reason="An entry of an optimizer's groups names layers as `layers` does. A name that no layer has would be "
        "ignored silently, and another network trained than the one that was meant. eta_min of a cosine is one number "
        "for all parameters: beside a factor of lr it would lift the small ones above their own rate.",
        wrong="layers: [scale, {linear: 8}, relu, linear]\noptimizer: {adam: {groups: [{layers: scales, lr: 6}]}}\n",
        right="layers: [scale, {linear: 8}, relu, linear]\noptimizer: {adam: {groups: [{layers: scale, lr: 6}]}}\n",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Compare every entry with the layers, and with the schedule."""
        optimizer = draft.parts.get("optimizer")
        groups = getattr(optimizer, "groups", ())
        if not groups or optimizer is None or None in (draft.parts.get("layers") or (None,)):
            return
        steps = [*walk(draft.steps)]
        whole = all(step.call is not UNKNOWN for step in steps)
        for index, group in enumerate(groups):
            path: Path = ("optimizer", optimizer.name, "groups", index)
            unknown = [*self._unknown(group, steps, path)]
            yield from unknown
            if whole and not unknown and not any(_meets(group, step) for step in steps):
                kind = group.parameters or "parameter"
                message = f"these factors hold for nothing: {_of(group)} has no {kind}"
                yield self.report(message, path, severity=Severity.WARNING)
        if any(group.lr != 1 for group in groups):
            yield from self._floor(draft)

    def _unknown(self, group: ParameterGroup, steps: Sequence[Step], path: Path) -> Iterator[Diagnostic]:
        present = list(dict.fromkeys(name for step in steps for name in (step.layer, *sorted(names_of(step)))))
        for index, name in enumerate(group.names):
            if name in present:
                continue
            here: Path = (*path, "layers") if isinstance(group.layers, str) else (*path, "layers", index)
            near = suggest(name, present)
            learning = list(dict.fromkeys(step.layer for step in steps if kinds(step)))
            hint = f"did you mean '{near}'?" if near else f"the layers with parameters are {', '.join(learning)}"
            edit = None if near is None else Edit(action="replace", path=here, value=near, safe=False)
            yield self.report(f"no layer is called '{name}'", here, hint=hint, edit=edit)

    def _floor(self, draft: Draft) -> Iterator[Diagnostic]:
        scheduler: Any = draft.parts.get("scheduler")
        path: Path = ("scheduler",)
        while scheduler is not None:
            path = (*path, scheduler.name)
            if getattr(scheduler, "eta_min", 0.0) > 0:
                message = f"eta_min must be 0 beside groups with factors of lr, found {scheduler.eta_min:g}"
                yield self.report(message, (*path, "eta_min"), hint="leave it out")
            scheduler, path = getattr(scheduler, "then", None), (*path, "then")


def _meets(group: ParameterGroup, step: Step) -> bool:
    return any(group.holds(names_of(step), kind) for kind in kinds(step))


def _of(group: ParameterGroup) -> str:
    return " or ".join(group.names) or "the network"
