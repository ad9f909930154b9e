"""A spec with everything inferred written out: itself a spec, which runs to the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.planner import walk
from ffspec.spec.layers import Linear, Repeat, Residual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.diagnostics import Path
    from ffspec.planner import Plan
    from ffspec.spec.activations import Layer
    from ffspec.spec.layers import Block
    from ffspec.spec.root import Spec


def resolve(spec: Spec, plan: Plan) -> Spec:
    """Write the widths and the lengths the planner found into a spec.

    A width that differs between the turns of a `repeat` stays inferred: one line cannot say two.
    """
    widths: dict[Path, set[tuple[int | None, int | None]]] = {}
    for step in walk(plan.steps):
        if step.call.target == "nn.Linear":
            widths.setdefault(step.path, set()).add((step.input[-1], step.output[-1]))
    changes: dict[str, Any] = {"layers": _resolved(spec.layers, ("layers",), widths)}
    if plan.schedule and spec.scheduler is not None and spec.scheduler.length is not None:
        length = plan.schedule[0].call.arguments[spec.scheduler.length]
        changes["scheduler"] = spec.scheduler.model_copy(update={spec.scheduler.length: length})
    return spec.model_copy(update=changes)


def _resolved(
    layers: Sequence[Layer | Block], path: Path, widths: dict[Path, set[tuple[int | None, int | None]]]
) -> tuple[Layer | Block, ...]:
    resolved: list[Layer | Block] = []
    for index, layer in enumerate(layers):
        here = (*path, index)
        if isinstance(layer, Repeat | Residual):
            inside = _resolved(layer.layers, (*here, layer.name, "layers"), widths)
            resolved.append(layer.model_copy(update={"layers": inside}))
        elif isinstance(layer, Linear) and len(found := widths.get(here, set())) >= 1:
            received = {one for one, _ in found}
            out = next(iter(found))[1]
            known = {"out_features": out, **({"in_features": received.pop()} if len(received) == 1 else {})}
            resolved.append(layer.model_copy(update=known))
        else:
            resolved.append(layer)
    return tuple(resolved)
