"""Where a layer may stand among the others, beyond the shape it receives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ffspec.diagnostics import Diagnostic, Edit
from ffspec.spec.kinds import ColumnLayer
from ffspec.spec.step import Misfit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.diagnostics import Path
    from ffspec.spec.facts import Facts, Levels, TargetKind
    from ffspec.spec.kinds import Block, Layer, Loss
    from ffspec.spec.step import Shape, Step

OUT_OF_PLACE = "FF127"
APART = frozenset({"scale", "dropout", "alpha_dropout", "batch_norm", "identity", "flatten"})
"""The layers that leave each feature in a column of its own."""
SILENT = frozenset({"identity", "flatten"})
"""Those that change no number."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What is known of the columns on their way through the layers."""

    levels: Levels | None
    """What each of them is; None where only the data can tell."""
    mixed_by: str | None = None
    """The first layer behind which they are not apart any more."""
    changed_by: str | None = None
    """The first layer behind which their numbers are others."""

    @classmethod
    def of(cls, facts: Facts) -> Columns:
        """Return the columns of a data set."""
        known = facts.features is not None and facts.levels is None
        return cls((0,) * (facts.features or 0) if known else facts.levels)

    def step_of(self, layer: ColumnLayer, shape: Shape) -> Step:
        """Return the step a layer on columns becomes here.

        Raises:
            Misfit: The columns are not what it needs any more.
        """
        name = layer.name
        if self.mixed_by is not None:
            message = f"{name} must stand where each feature is a column of its own, but {self.mixed_by} mixes them"
            raise Misfit(OUT_OF_PLACE, message, hint="put it in front")
        if layer.exact and self.changed_by is not None:
            message = f"{name} must receive the codes themselves, but {self.changed_by} changes them"
            raise Misfit(OUT_OF_PLACE, message, hint="put it in front")
        return layer.of_columns(shape, self.levels)

    def behind(self, layer: Layer | Block | None) -> Columns:
        """Return what is known behind a layer."""
        if layer is None:
            return replace(self, levels=None)
        if isinstance(layer, ColumnLayer):
            return replace(self, levels=None if self.levels is None else layer.levels_behind(self.levels))
        if layer.name not in APART:
            return replace(self, mixed_by=self.mixed_by or layer.name)
        return self if layer.name in SILENT else replace(self, changed_by=self.changed_by or layer.name)


def misplaced(
    layers: Sequence[Layer | Block | None], loss: Loss | None, target: TargetKind | None
) -> Iterator[Diagnostic]:
    """Yield each target_scale that is not the last layer of all, or whose loss does not compare numbers.

    Args:
        layers: The layers of a spec.
        loss: Its loss.
        target: What its target is.
    """
    for path, layer in placed(layers, ("layers",)):
        if layer.name != "target_scale":
            continue
        if path != ("layers", len(layers) - 1):
            message = "target_scale must be the last layer: what stands behind it would see numbers in other units"
            edit = Edit(action="remove", path=path, safe=False)
            yield Diagnostic(code=OUT_OF_PLACE, message=message, path=path, hint="put it at the end", edit=edit)
        elif (found := _other_than_numbers(loss, target)) is not None:
            needs = "a target of numbers" if found == "classes" else "a loss that compares numbers"
            message = f"target_scale needs {needs}, found {found}"
            hint = "leave it out, or write loss: mse" if target == "values" else "leave it out"
            edit = Edit(action="remove", path=path)
            yield Diagnostic(code=OUT_OF_PLACE, message=message, path=path, hint=hint, edit=edit)


def uncorrected(
    layers: Sequence[Layer | Block | None], loss: Loss | None, target: TargetKind | None
) -> Iterator[Diagnostic]:
    """Yield each residual with a ridge regression that is not the output of the network, or has no numbers to predict.

    Args:
        layers: The layers of a spec.
        loss: Its loss.
        target: What its target is.
    """
    for path, layer in placed(layers, ("layers",)):
        if getattr(layer, "shortcut", None) is None:
            continue
        if not _alone(layers, path):
            message = (
                "a residual with shortcut: ridge predicts the target of the rows as they are: it must be the only layer"
            )
            yield Diagnostic(code=OUT_OF_PLACE, message=message, path=path, hint="put the other layers inside")
        elif (found := _other_than_numbers(loss, target)) is not None:
            message = f"a ridge regression predicts numbers, found {found}"
            yield Diagnostic(code=OUT_OF_PLACE, message=message, path=path, hint="leave shortcut out")


def _other_than_numbers(loss: Loss | None, target: TargetKind | None) -> str | None:
    """Return what is there in place of numbers: the loss that compares something else, or "classes"."""
    if loss is not None and loss.output != "value":
        return loss.name
    return "classes" if target == "classes" else None


def _alone(layers: Sequence[Layer | Block | None], path: Path) -> bool:
    """Return whether a layer stands alone, or in an ensemble that does: it sees the rows as they are, and answers."""
    rest = [layer for index, layer in enumerate(layers) if index != path[1]]
    if not all(layer is not None and layer.name in SILENT | {"target_scale"} for layer in rest):
        return False
    around = layers[int(path[1])]
    return len(path) == 2 or (path[2:] == ("ensemble", "layers", 0) and len(getattr(around, "layers", ())) == 1)


def placed(layers: Sequence[Layer | Block | None], path: Path) -> Iterator[tuple[Path, Layer | Block]]:
    """Yield every layer with its path, those inside a block after it."""
    for index, layer in enumerate(layers):
        if layer is not None:
            yield (*path, index), layer
            yield from placed(getattr(layer, "layers", ()), (*path, index, layer.name, "layers"))
