"""Where a layer may stand among the others, beyond the shape it receives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.diagnostics import Diagnostic, Edit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.diagnostics import Path
    from ffspec.spec.facts import TargetKind
    from ffspec.spec.kinds import Block, Layer, Loss

OUT_OF_PLACE = "FF127"


def misplaced(
    layers: Sequence[Layer | Block | None], loss: Loss | None, target: TargetKind | None
) -> Iterator[Diagnostic]:
    """Yield each target_scale that is not the last layer of all, or whose loss does not compare numbers.

    Args:
        layers: The layers of a spec.
        loss: Its loss.
        target: What its target is.
    """
    for path, layer in _all(layers, ("layers",)):
        if layer.name != "target_scale":
            continue
        if path != ("layers", len(layers) - 1):
            message = "target_scale must be the last layer: what stands behind it would see numbers in other units"
            edit = Edit(action="remove", path=path, safe=False)
            yield Diagnostic(code=OUT_OF_PLACE, message=message, path=path, hint="put it at the end", edit=edit)
        elif (loss is not None and loss.output != "value") or target == "classes":
            needs = "a target of numbers" if loss is None or loss.output == "value" else "a loss that compares numbers"
            found = "classes" if loss is None or loss.output == "value" else loss.name
            message = f"target_scale needs {needs}, found {found}"
            hint = "leave it out, or write loss: mse" if target == "values" else "leave it out"
            edit = Edit(action="remove", path=path)
            yield Diagnostic(code=OUT_OF_PLACE, message=message, path=path, hint=hint, edit=edit)


def _all(layers: Sequence[Layer | Block | None], path: Path) -> Iterator[tuple[Path, Layer | Block]]:
    """Yield every layer with its path, those inside a block after it."""
    for index, layer in enumerate(layers):
        if layer is not None:
            yield (*path, index), layer
            yield from _all(getattr(layer, "layers", ()), (*path, index, layer.name, "layers"))
