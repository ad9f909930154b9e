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


RESCALED = frozenset({None, "mse", "l1", "smooth_l1", "huber"})
"""The losses of numbers in any unit, and none named: the recipe's own is one of them."""


def plain(case: Case) -> Values:
    """Return the network of the textbooks: standardised inputs, two hidden layers with relu, adamw."""
    classes = case.task == "classes"
    ending = () if classes or case.loss not in RESCALED else ("target_scale",)
    return {
        "dataset": {"prepare": {"scale": "standardize", "missing": "median"}},
        "layers": ({"linear": 128}, "relu", {"linear": 128}, "relu", "linear", *ending),
        "loss": "cross_entropy" if classes else "mse",
        "optimizer": {"adamw": {"lr": 1e-3}},
        "training": {"epochs": 200, "batch_size": "auto", **_best_epoch(case, 20)},
    }


def tabular(case: Case) -> Values:
    """Return a network for tables after RealMLP (Holzmueller et al. 2024, arXiv 2407.04491), as four in one.

    For numbers to predict, each number of a row is given in pieces of a line too (Gorishniy et al. 2022, arXiv
    2203.05556).
    """
    return _after_realmlp(case, members=4, embedded=case.task == "values")


def tabular_embedded(case: Case) -> Values:
    """Return `tabular` with each number in pieces of a line, for classes too."""
    return _after_realmlp(case, members=4, embedded=True)


def tabular_ensemble(case: Case) -> Values:
    """Return `tabular` with sixteen members in place of four."""
    return _after_realmlp(case, members=16, embedded=case.task == "values")


def _after_realmlp(case: Case, *, members: int, embedded: bool) -> Values:
    classes = case.task == "classes"
    chances = case.loss in {None, "cross_entropy", "bce_with_logits"}
    hidden = ({"linear": {"out_features": 128, "parametrization": "ntk"}}, "silu", {"dropout": 0.15})
    last = {"linear": {"parametrization": "ntk", "init": "zeros", "bias_init": "zeros"}}
    pieces = {"piecewise_linear": {"d_embedding": 4, "n_bins": 32, "skip": True}}
    calibrated = ("temperature",) if chances and case.validation else ()
    rescaled = ("target_scale",) if case.loss in RESCALED else ()
    # Smoothed labels help to tell classes apart, and leave probabilities too unsure: temperature mends that.
    smoothed: Any = {"cross_entropy": {"label_smoothing": 0.1}} if calibrated else "cross_entropy"
    member = (
        *((pieces,) if embedded else ()),
        "scale",
        {"repeat": {"times": 3 if classes else 2, "layers": hidden}},
        last,
    )
    # Of numbers, a linear model says most: the layers learn what it leaves.
    corrected = ({"residual": {"shortcut": "ridge", "layers": member}},) if rescaled and not classes else member
    return {
        "dataset": {"prepare": {"scale": "robust", "smooth_clip": 3.0, "missing": "median", "missing_indicator": True}},
        "layers": (
            {"ensemble": {"members": members, "layers": corrected}},
            *(calibrated if classes else rescaled),
        ),
        "loss": smoothed if classes else "mse",
        "optimizer": {"adamw": _adamw(0.04 if classes else 0.07)},
        "scheduler": "coslog4",
        "training": {
            "epochs": 256,
            "max_steps": 10_000,
            "batch_size": "auto",
            "schedules": {"weight_decay": "flat_cos", "dropout": "flat_cos"},
            "ema": 0.99,
            **_best_epoch(case, 256),
            **({"refit": True} if case.validation else {}),
        },
        **({"metrics": ("accuracy", "log_loss")} if classes and chances else {}),
    }


def _adamw(lr: float) -> Values:
    """Return the optimizer: the scales of features learn faster, biases slower and without decay."""
    groups = ({"layers": "scale", "lr": 6.0}, {"parameters": "bias", "lr": 0.1, "weight_decay": 0.0})
    return {"lr": lr, "betas": (0.9, 0.95), "weight_decay": 0.02, "groups": groups}


def _best_epoch(case: Case, patience: int) -> Values:
    """Return what keeps the best epoch, where there are rows to tell it by."""
    if not case.validation:
        return {}
    return {"early_stopping": {"monitor": "validation.loss", "patience": patience}}


RECIPES: dict[str, Callable[[Case], Values]] = {
    "plain": plain,
    "tabular": tabular,
    "tabular_embedded": tabular_embedded,
    "tabular_ensemble": tabular_ensemble,
}
