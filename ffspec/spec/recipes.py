"""Recipes: what a spec says where its author leaves a key out, each part of it a visible component.

What they contain was decided by measuring, on other data than what they are reported on; docs/tables.md tells how.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ffspec.spec.facts import TargetKind

RecipeName: TypeAlias = Literal["plain", "tabular", "tabular_embedded", "tabular_ensemble"]
Values: TypeAlias = dict[str, Any]
"""Plain values, as YAML would say them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a recipe looks at: no row is read for it."""

    task: TargetKind
    validation: bool
    """Whether there is, or can be, a validation split to choose the epoch by."""
    loss: str | None
    """The loss, where the spec names one."""


def plain(case: Case) -> Values:
    """Return the network of the textbooks: standardised inputs, two hidden layers with relu, adamw."""
    classes = case.task == "classes"
    return {
        "dataset": {"prepare": {"scale": "standardize", "missing": "median"}},
        "layers": ({"linear": 128}, "relu", {"linear": 128}, "relu", "linear"),
        "loss": "cross_entropy" if classes else "mse",
        "optimizer": {"adamw": {"lr": 1e-3}},
        "training": {"epochs": 200, "batch_size": 128, **_best_epoch(case, 20)},
    }


def _best_epoch(case: Case, patience: int) -> Values:
    """Return what keeps the best epoch, where there are rows to tell it by."""
    if not case.validation:
        return {}
    return {"early_stopping": {"monitor": "validation.loss", "patience": patience}}


RECIPES: dict[str, Callable[[Case], Values]] = {"plain": plain}
