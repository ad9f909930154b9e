"""The output of a network: which layer sets its width, what width the loss asks for, and whether both agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ffspec.diagnostics import Diagnostic, Edit, Path
from ffspec.spec.ensembles import BEHIND, Ensemble
from ffspec.spec.layers import Linear, Repeat, Residual

if TYPE_CHECKING:
    from ffspec.spec.facts import Facts, TargetKind
    from ffspec.spec.kinds import Block, Layer, Loss
    from ffspec.spec.step import Shape


def outputs_needed(loss: Loss | None, facts: Facts) -> int | None:
    """Return the width of the last layer that loss and target ask for, or None if unknown.

    A loss on class numbers wants a score for each class. The others compare number with number: one column for two
    classes, one for each class where there are more, one for each target column in regression.
    """
    if loss is None or facts.outputs is None:
        return None
    if loss.target == "index":
        return facts.outputs if facts.target == "classes" else None
    if facts.target == "classes":
        return 1 if facts.outputs <= 2 else facts.outputs
    return facts.outputs


def with_output(layers: Sequence[Layer | Block | None], needed: int | None) -> Sequence[Layer | Block | None]:
    """Give the last linear the width that is needed, if it leaves its own out; that of each member of an ensemble."""
    block = _answering(layers)
    if block is not None:
        index, layer = block
        inside = layer.model_copy(update={"layers": tuple(with_output(layer.layers, needed))})
        return (*layers[:index], inside, *layers[index + 1 :])
    last = last_linear(layers)
    linear = None if last is None else layers[last]
    if needed is None or last is None or not isinstance(linear, Linear) or linear.out_features is not None:
        return layers
    return (*layers[:last], linear.model_copy(update={"out_features": needed}), *layers[last + 1 :])


def _answering(layers: Sequence[Layer | Block | None]) -> tuple[int, Ensemble | Residual] | None:
    """Return the block at the end of some layers that answers for them, with its index; None without one."""
    index = len(layers) - 1
    while index > 0 and (layer := layers[index]) is not None and layer.name in BEHIND:
        index -= 1
    block = layers[index] if index >= 0 else None
    if isinstance(block, Ensemble) or (isinstance(block, Residual) and block.shortcut is not None):
        return index, block
    return None


def last_linear(layers: Sequence[Layer | Block | None]) -> int | None:
    """Return the index of the linear that sets the width of the output; None where a repeat behind it does."""
    for index in reversed(range(len(layers))):
        layer = layers[index]
        if isinstance(layer, Linear):
            return index
        if isinstance(layer, Ensemble | Residual) and (isinstance(layer, Ensemble) or layer.shortcut is not None):
            return None
        if isinstance(layer, Repeat) and _sets_width(layer):
            return None
    return None


OUTPUTS = frozenset(
    {
        "identity",
        "flatten",
        "softmax",
        "log_softmax",
        "softmin",
        "sigmoid",
        "hardsigmoid",
        "logsigmoid",
        "target_scale",
        "temperature",
    }
)
"""What may stand behind the output layer. Behind any other layer, the output layer itself is what is missing."""


def _output_linear(layers: Sequence[Layer | Block | None]) -> int | None:
    """Return the index of the linear that is meant to be the output layer; None if none is."""
    last = last_linear(layers)
    behind = () if last is None else layers[last + 1 :]
    return last if all(layer is not None and layer.name in OUTPUTS for layer in behind) else None


def _sets_width(repeat: Repeat) -> bool:
    return any(isinstance(one, Linear) or (isinstance(one, Repeat) and _sets_width(one)) for one in repeat.layers)


def output_problems(
    layers: Sequence[Layer | Block | None], loss: Loss, facts: Facts, wanted: TargetKind | None, output: Shape
) -> Iterator[Diagnostic]:
    """Yield what keeps the network's output from being compared with the target."""
    kinds = {"classes": "classes to tell apart", "values": "numbers"}
    needs = "classes" if loss.target != "value" else "values"
    # Numbers that are judged as classes may be either; classes with names are no numbers.
    if facts.target is not None and facts.target != needs and (needs == "classes" or wanted == "values"):
        message = f"{loss.name} needs {kinds[needs]}, but the target of this data set is {kinds[facts.target]}"
        hint = "mse, l1 and huber fit numbers" if needs == "classes" else "cross_entropy fits classes"
        yield Diagnostic(code="FF024", message=message, path=("loss",), hint=hint)
        return
    if facts.target == "classes" and facts.outputs == 1:
        message = f"{loss.name} needs classes to tell apart, but the target of this data set has only one"
        yield Diagnostic(code="FF024", message=message, path=("loss",), hint="look at the target column")
        return
    needed, width = outputs_needed(loss, facts), output[-1]
    if needed is None or width is None or width == needed:
        return
    inside: Path = ("layers",)
    while (found := _answering(layers)) is not None:
        place, block = found
        layers, inside = block.layers, (*inside, place, block.name, "layers")
    where: Path = (*inside, len(layers) - 1)
    edit = None
    hint = f"end the layers with linear: {needed}"
    last = _output_linear(layers)
    if last is not None and getattr(layers[last], "out_features", None) == width:
        where = (*inside, last, "linear", "out_features")
        hint = f"write {needed}, or leave it out: it is inferred"
        edit = Edit(action="replace", path=where, value=needed)
    if loss.target == "index":
        message = f"{loss.name} needs one output for each of the {needed} classes, found {width}"
        yield Diagnostic(code="FF113", message=message, path=where, hint=hint, edit=edit)
    else:
        what = _columns(facts)
        message = f"the output must have the target's shape, {what}, found {width}"
        yield Diagnostic(code="FF114", message=message, path=where, hint=hint, edit=edit)


def _columns(facts: Facts) -> str:
    if facts.target == "classes":
        return "one column for two classes" if facts.outputs == 2 else f"one column for each of {facts.outputs} classes"
    return "one column" if facts.outputs == 1 else f"{facts.outputs} columns"
