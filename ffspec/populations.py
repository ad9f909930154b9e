"""Which networks can be computed as one, and how many at once: what a spec and its plan say of it.

What is computed stands in `builder/population`; a test holds the names here against it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ffspec.planner import settle, walk
from ffspec.spec.ensembles import are_independent, find_ensemble, members_of, opened, unstackable
from ffspec.spec.step import LINEARS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.planner import Plan
    from ffspec.spec.root import Spec
    from ffspec.spec.step import Step
    from ffspec.spec.training import Training

OPTIMIZERS = frozenset(
    {"sgd", "adam", "adamw", "nadam", "radam", "adamax", "rmsprop", "adagrad", "adadelta", "asgd", "rprop"}
)
"""The optimizers that are written for many networks at once."""

PROPORTIONAL = frozenset({"sgd", "asgd"})
"""Those whose steps are small where gradients are: the others make of rounding what they make of any gradient."""

ENDS = frozenset({"ffspec.TargetScale", "ffspec.Temperature"})
"""What does nothing while training: each member keeps its own."""

DROPOUTS = frozenset({"nn.Dropout", "nn.AlphaDropout"})
UNCHANGING = frozenset({"nn.Identity", "nn.Flatten"})
"""What returns the numbers it is given."""
DRAWN = DROPOUTS | {"nn.RReLU"}
"""What draws random numbers while training."""

FORM = "no form for many networks at once"

CACHE = 8_000_000
"""The bytes a step may touch: beyond, every operation waits for the memory."""
LEAST = 4
"""Of fewer members, one network is no faster than one after another."""
STATES = dict.fromkeys(("adam", "adamw", "nadam", "radam", "adamax", "adadelta", "rprop"), 4)
"""How many numbers there are of each parameter: itself, its gradient, and what the optimizer remembers."""


def divided(members: int, most: int) -> list[tuple[int, int]]:
    """Divide so many members into parts of at most so many, as equal as can be: where each starts, and where it stops.

    Each part is a single member where fewer than LEAST would be together.
    """
    if min(members, most) < LEAST:
        most = 1
    parts = -(-members // most)
    return list(pairwise(members * part // parts for part in range(parts + 1)))


def members_at_once(plan: Plan, training: Training, optimizer: str) -> int:
    """Return how many members are trained as one network; the plan decides, never a clock.

    Args:
        plan: The plan of each.
        training: Its loop.
        optimizer: The name of its optimizer.
    """
    rows = plan.facts.rows.get("train") or 1
    batch = rows if isinstance(training.batch_size, str) else min(training.batch_size, rows)
    # Of every output there is the gradient too.
    ensemble = find_ensemble(plan.steps)
    inside = () if ensemble is None else ensemble.steps
    widths = [sum(step.output[-1] or 0 for step in walk(steps)) for steps in (plan.steps, inside)]
    # The rows of an ensemble are those of each of its members.
    activations = 2 * (widths[0] + widths[1] * (members_of(plan.steps) - 1)) + (plan.facts.features or 0)
    numbers = batch * activations + (plan.parameters or 0) * STATES.get(optimizer, 3)
    size = 8 if training.precision == "float64" else 4
    return max(1, CACHE // max(1, numbers * size))


def obstacle(spec: Spec, plan: Plan) -> str | None:
    """Say why a network cannot be computed together with others, or return None."""
    training = spec.training
    layer = next((step for step in unstackable(opened(plan.steps)) if step.call.target not in ENDS), None)
    if layer is not None:
        return f"{layer.layer} has {FORM}"
    if (drawn := _turned(plan.steps)) is not None:
        return f"{drawn.layer} behind a batch_norm in an ensemble has {FORM}"
    if spec.optimizer.name not in OPTIMIZERS:
        return f"{spec.optimizer.name} has {FORM}"
    if spec.optimizer.name not in PROPORTIONAL and _levelled(plan.steps):
        return (
            f"the gradient of a bias in front of a batch_norm is rounding, of which {spec.optimizer.name} makes whole "
            "steps; write bias: false"
        )
    if training.clip_grad_norm is not None and are_independent(plan.steps):
        return f"clip_grad_norm of an ensemble has {FORM}"
    if training.precision == "bf16":
        return f"bf16 has {FORM}"
    if training.device != "cpu":
        return f"only a CPU trains many networks as one, and the device is {training.device}"
    if getattr(spec.dataset.source, "streaming", False):
        return f"rows that are streamed have {FORM}"
    return None


def _levelled(steps: Sequence[Step]) -> bool:
    """Return whether a batch_norm takes away the bias of a linear: all that is left of its gradient is rounding."""
    for step, behind in pairwise(step for step in steps if step.call.target not in UNCHANGING):
        bias = step.call.target in LINEARS and step.call.arguments.get("bias")
        if bias and behind.call.target == "nn.BatchNorm1d":
            return True
    return any(_levelled(step.steps) for step in steps)


def _turned(steps: Sequence[Step]) -> Step | None:
    """Return a layer that draws in an order of its own: behind a batch_norm of every member of an ensemble.

    The rows of the members then lie in memory row by row, and not member by member, until a linear makes new ones.
    """
    if not are_independent(steps):
        return None
    ensemble = find_ensemble(steps)
    return None if ensemble is None else _drawn(ensemble.steps, behind=False)[1]


def _drawn(steps: Sequence[Step], *, behind: bool) -> tuple[bool, Step | None]:
    """Return whether the last of some steps leaves rows so, and the first that draws in that order."""
    for step in steps:
        if step.call.target in DRAWN and behind:
            return behind, step
        inner, found = _drawn(step.steps, behind=behind)
        if found is not None:
            return behind, found
        turned = step.call.target == "nn.BatchNorm1d" or (bool(step.steps) and inner)
        behind = (behind or turned) and step.call.target not in LINEARS
    return behind, None


def described(spec: Spec, plan: Plan) -> str:
    """Say in one line how many networks of a spec that differ in numbers only are computed at once."""
    reason = obstacle(spec, plan)
    if reason is not None:
        return f"one after another: {reason}"
    if None in {plan.parameters, plan.facts.features, plan.facts.rows.get("train")}:
        return "known once the data is read"
    most = members_at_once(plan, settle(spec, plan.facts).training, spec.optimizer.name)
    if most < LEAST:
        return "one after another: one alone fills the cache"
    return f"up to {most:,} seeds, folds or points of a sweep are trained as one network"
