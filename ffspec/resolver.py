"""A spec with everything inferred written out: itself a spec, which runs to the same bits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ffspec.planner import walk
from ffspec.spec.ensembles import Ensemble
from ffspec.spec.layers import Linear, Repeat, Residual
from ffspec.spec.schedulers import Warmup
from ffspec.spec.step import LINEARS
from ffspec.spec.tables import Table

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Sequence

    from ffspec.diagnostics import Path
    from ffspec.planner import Plan
    from ffspec.spec.dataset import Dataset
    from ffspec.spec.kinds import Block, Layer, Phase, Scheduler
    from ffspec.spec.root import Spec


def resolve(spec: Spec, plan: Plan, directory: pathlib.Path) -> Spec:
    """Write the widths and the lengths the planner found into a spec that is to stand in `directory`.

    A width that differs between the turns of a `repeat` stays inferred: one line cannot say two. Paths of data lead
    from `directory` to the same files.
    """
    widths: dict[Path, set[tuple[int | None, int | None]]] = {}
    for step in walk(plan.steps):
        if step.call.target in LINEARS:
            widths.setdefault(step.path, set()).add((step.input[-1], step.output[-1]))
    changes: dict[str, Any] = {
        "dataset": _moved(spec.dataset, spec.directory, directory),
        "layers": _resolved(spec.layers, ("layers",), widths),
    }
    if spec.scheduler is not None and not spec.training.refit:  # whose second training has more steps
        changes["scheduler"] = _lengthened(spec.scheduler, plan.schedule)
    return spec.model_copy(update=changes)


def moved(spec: Spec, directory: pathlib.Path) -> Spec:
    """Return a spec that is to stand in `directory`, its paths leading from there to the same files."""
    dataset = _moved(spec.dataset, spec.directory, directory)
    return spec.model_copy(update={"dataset": dataset}).at(directory, allowed=spec.allowed)


def _moved(dataset: Dataset, old: pathlib.Path, new: pathlib.Path) -> Dataset:
    """Rewrite the paths of a table, which begin at the folder of its spec."""
    if not isinstance(dataset.source, Table):
        return dataset
    files = {"path": dataset.source.path, **dataset.source.files}
    moved = {name: _leading_to(old / file, new) for name, file in files.items()}
    return dataset.model_copy(update={"source": dataset.source.model_copy(update=moved)})


def _leading_to(file: pathlib.Path, start: pathlib.Path) -> str:
    """Return a relative path, so that spec, data and runs may move together; absolute from one drive to another."""
    target = file.resolve()
    try:
        return os.path.relpath(target, start.resolve())
    except ValueError:
        return str(target)


def _lengthened(scheduler: Scheduler, schedule: Sequence[Phase]) -> Scheduler:
    """Write out how long a schedule is; of a warm-up, the one that follows."""
    if isinstance(scheduler, Warmup):
        then = None if scheduler.then is None else _lengthened(scheduler.then, schedule[1:])
        return scheduler.model_copy(update={"then": then})
    if scheduler.length is None:
        return scheduler
    return scheduler.model_copy(update={scheduler.length: schedule[0].call.arguments[scheduler.length]})


def _resolved(
    layers: Sequence[Layer | Block], path: Path, widths: dict[Path, set[tuple[int | None, int | None]]]
) -> tuple[Layer | Block, ...]:
    resolved: list[Layer | Block] = []
    for index, layer in enumerate(layers):
        here = (*path, index)
        if isinstance(layer, Repeat | Residual | Ensemble):
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
