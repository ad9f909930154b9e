"""Reading a network: which step learns, which is an activation, which changes nothing, and what an output can be."""

from __future__ import annotations

from math import exp, inf
from typing import TYPE_CHECKING, Any

from ffspec.diagnostics import Edit
from ffspec.planner import UNKNOWN
from ffspec.spec.ensembles import opened
from ffspec.spec.step import LINEARS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ffspec.diagnostics import Path
    from ffspec.spec.step import Step

LEARNING = LINEARS
BLOCKS = frozenset({"ffspec.Residual", "ffspec.RidgeResidual"})
SILENT = frozenset({"nn.Identity", "nn.Flatten", "ffspec.Temperature"})
"""What changes no number while training, and no prediction afterwards."""
SCALES = frozenset({"ffspec.Scale", "ffspec.MemberScale"})
"""What multiplies each feature with a number of its own, learnt but of no power alone."""
EMBEDDINGS = frozenset({"ffspec.PLR", "ffspec.PBLD", "ffspec.PiecewiseLinear", "ffspec.Embedding"})
"""What makes several numbers of a column, by weights of its own."""
UNITS = frozenset({"ffspec.TargetScale"})
"""What only changes the units of the output: the loss compares what stands in front of it."""
DROPOUTS = frozenset({"nn.Dropout", "nn.AlphaDropout"})
NORMS = frozenset({"nn.BatchNorm1d", "nn.LayerNorm", "nn.RMSNorm"})
NORMALISERS = frozenset({"nn.Softmax", "nn.Softmin", "nn.LogSoftmax"})
SIGMOIDS = frozenset({"nn.Sigmoid", "nn.Hardsigmoid"})
ACTIVATIONS = frozenset(
    {f"nn.{name}" for name in (
        "ReLU", "LeakyReLU", "PReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Sigmoid", "Tanh", "Softplus",
        "Softsign", "Hardtanh", "Hardsigmoid", "Hardswish", "ReLU6", "RReLU", "LogSigmoid", "Softshrink", "Hardshrink",
        "Tanhshrink", "Threshold", "GLU",
    )} | {"ffspec.Heaviside"}
)  # fmt: skip
PARAMETRIC = frozenset({"ffspec.Parametric"})
"""Activations that a feature may learn to do without, so that their results have no bounds."""
LINEAR = LEARNING | SILENT | DROPOUTS | SCALES | UNITS | {"nn.BatchNorm1d"}
"""What, in eval mode, is a linear map and a shift."""

_RANGES: dict[str, tuple[float, float]] = {
    "nn.ReLU": (0, inf),
    "nn.ReLU6": (0, 6),
    "nn.Softplus": (0, inf),
    "nn.Sigmoid": (0, 1),
    "nn.Hardsigmoid": (0, 1),
    "nn.Softmax": (0, 1),
    "nn.Softmin": (0, 1),
    "ffspec.Heaviside": (0, 1),
    "nn.Tanh": (-1, 1),
    "nn.Softsign": (-1, 1),
    "nn.LogSigmoid": (-inf, 0),
    "nn.LogSoftmax": (-inf, 0),
    "nn.SELU": (-1.7581, inf),
    "nn.SiLU": (-0.2785, inf),
    "nn.GELU": (-0.17, inf),
    "nn.Mish": (-0.3089, inf),
    "nn.Hardswish": (-0.375, inf),
}


def range_of(step: Step) -> tuple[float, float]:
    """Return the smallest and the largest number a step can return, infinite where there is no bound."""
    target, given = step.call.target, step.call.arguments
    if target == "nn.Hardtanh":
        return given["min_val"], given["max_val"]
    if target in {"nn.ELU", "nn.CELU"}:
        return -given["alpha"], inf
    if target == "nn.Threshold":
        return min(given["threshold"], given["value"]), inf
    return _RANGES.get(target, (-inf, inf))


def in_words(low: float, high: float) -> str:
    """Say what lies between two bounds, of which at least one is finite."""
    if high == inf:
        return f"at least {low:g}"
    return f"at most {high:g}" if low == -inf else f"between {low:g} and {high:g}"


def effective(steps: Sequence[Step]) -> list[Step]:
    """Return the steps that change numbers in eval mode, apart from their units."""
    return [step for step in steps if step.call.target not in SILENT | UNITS | DROPOUTS]


def chains(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """Yield the steps as a chain, and then those inside every residual as chains of their own."""
    yield steps
    for step in steps:
        if step.steps:
            yield from chains(step.steps)


def known(steps: Sequence[Step]) -> bool:
    """Return whether every step could be planned."""
    return all(step.call is not UNKNOWN and known(step.steps) for step in steps)


def learns(step: Step) -> bool:
    """Return whether a step is a linear or an embedding, or a block with one inside."""
    return step.call.target in LEARNING | EMBEDDINGS or any(map(learns, step.steps))


def is_linear(step: Step) -> bool:
    """Return whether a step is, in eval mode, a linear map and a shift."""
    return step.call.target in LINEAR or (step.call.target in BLOCKS and all(map(is_linear, step.steps)))


def is_linear_model(steps: Sequence[Step]) -> bool:
    """Return whether a network is a linear model: one learning layer, and at most a link function behind it.

    The link must be monotone, or the boundary between two classes would not be a plane.
    """
    rest = [step for step in effective(opened(steps)) if step.call.target not in SCALES | {"nn.BatchNorm1d"}]
    linked = rest[1:] if rest and rest[0].call.target in LEARNING else None
    return linked is not None and all(step.call.target in ACTIVATIONS | NORMALISERS for step in linked)


def layer_at(parts: Mapping[str, Any], path: Path) -> Any:
    """Return the layer of the spec a step came from."""
    found: Any = parts
    for key in path:
        if isinstance(key, int):
            found = found[key]
        elif getattr(found, "name", None) != key:  # a component's name is in the path, but no step of its own
            found = found[key] if isinstance(found, dict) else getattr(found, key)
    return found


def name_of(parts: Mapping[str, Any], step: Step) -> str:
    """Return the name of the layer a step came from."""
    return str(layer_at(parts, step.path).name)


def removal(step: Step, *, safe: bool = True) -> Edit | None:
    """Return the edit that takes a layer out; None inside a repeat, where it would go from every turn."""
    return None if "repeat" in step.path else Edit(action="remove", path=step.path, safe=safe)


def floor(classes: int, width: float = 1.0) -> float:
    """Return the least cross-entropy of scores that lie at most `width` apart: ln(1 + (K - 1) exp(-width)).

    For a softmax in front of it the width is 1, so the floor is ln(e + K - 1) - 1.
    """
    from math import log1p

    return log1p((classes - 1) * exp(-width))
