"""How many members are computed at once: as many as keep what a step touches in the cache. Imports no torch."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ffspec.planner import walk

if TYPE_CHECKING:
    from ffspec.planner import Plan
    from ffspec.spec.training import Training

CACHE = 8_000_000
"""The bytes a step may touch: beyond, every operation waits for the memory."""
LEAST = 4
"""Of fewer members, one network is no faster than one after another."""
STATES = {"adam": 4, "adamw": 4, "rmsprop": 3, "adagrad": 3}
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
    activations = sum(2 * (step.output[-1] or 0) for step in walk(plan.steps)) + (plan.facts.features or 0)
    numbers = batch * activations + (plan.parameters or 0) * STATES.get(optimizer, 3)
    size = 8 if training.precision == "float64" else 4
    return max(1, CACHE // max(1, numbers * size))
