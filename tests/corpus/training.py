"""How healthy networks are trained: optimizers at sane rates, schedules that act, batches that fit."""

from __future__ import annotations

from random import Random

from tests.corpus.data import Data
from tests.corpus.layers import named
from tests.corpus.text import Tree

RATES: dict[str, tuple[float, ...]] = {
    "sgd": (0.5, 0.1, 0.05, 0.01, 1e-3),
    "adam": (0.01, 3e-3, 1e-3, 3e-4, 1e-4),
    "adamw": (0.01, 5e-3, 1e-3, 3e-4),
    "nadam": (2e-3, 1e-3),
    "radam": (0.01, 1e-3),
    "rmsprop": (0.01, 1e-3, 1e-4),
    "adagrad": (0.1, 0.05, 0.01),
    "adadelta": (1.0, 0.5),
    "adamax": (2e-3, 5e-3),
    "asgd": (0.05, 0.01),
    "adafactor": (0.01, 0.02),
    "muon": (0.02, 1e-3),
    "lbfgs": (1.0, 0.5),
    "rprop": (0.01, 1e-3),
}
WHOLE = frozenset({"lbfgs", "rprop"})
"""Optimizers for the whole batch."""
DECAYS: dict[str, tuple[float, ...]] = {
    "sgd": (1e-5, 1e-4, 5e-4, 0.01),
    "adam": (1e-5, 1e-4),
    "adamw": (0.01, 0.05, 0.1),
    "radam": (1e-4,),
    "rmsprop": (1e-5,),
    "muon": (0.01, 0.1),
}

ORDINARY: dict[str, Tree] = {"clip_grad_norm": 1.0, "clip_grad_value": 0.5, "shuffle": True, "precision": "float64"}
"""Options of the loop that do no harm."""


def optimizer(rng: Random, name: str | None = None) -> Tree:
    """Draw an optimizer with a rate of its scale."""
    name = name or rng.choice(("sgd", "adam", "adamw", *RATES))
    rate = rng.choice(RATES[name])
    given: dict[str, Tree] = {}
    if name in DECAYS and rng.random() < 0.3:
        given["weight_decay"] = rng.choice(DECAYS[name])
    if name == "sgd" and rng.random() < 0.4:
        given["momentum"] = rng.choice((0.9, 0.95, 0.5))
        if rng.random() < 0.4:
            given["nesterov"] = True
    if name == "lbfgs":
        given["line_search_fn"] = "strong_wolfe"
    if name in {"adam", "adamw"} and rng.random() < 0.1:
        given["betas"] = [0.9, 0.98]
    if not given and name != "sgd" and rng.random() < 0.3:
        return name
    return named(rng, name, "lr", rate, **given)


def scheduler(rng: Random, epochs: int, *, validation: bool) -> Tree:
    """Draw a schedule that acts within so many epochs."""
    kind = rng.randrange(12)
    early = rng.randint(1, max(1, epochs // 2))
    plain: list[Tree] = [
        "cosine_annealing",
        {"cosine_annealing": {"T_max": epochs, "eta_min": 1e-5}},
        named(rng, "step", "step_size", early, **({"gamma": 0.5} if rng.random() < 0.5 else {})),
        named(rng, "multi_step", "milestones", sorted({early, max(early, epochs * 3 // 4)})),
        {"exponential": 0.95},
        {"cosine_annealing_warm_restarts": early},
        {"polynomial": {"power": 0.9}},
        {"linear": {"start_factor": 1.0, "end_factor": 0.1}},
        {"constant": {"factor": 0.5, "total_iters": early}},
        "cosine_annealing",
        {"exponential": {"gamma": 0.99, "interval": "step"}},
    ]
    if kind < 3 and epochs >= 5:
        plateau: dict[str, Tree] = {"patience": rng.randint(1, epochs // 3), "factor": 0.5}
        if validation and rng.random() < 0.5:
            plateau["monitor"] = "validation.loss"
        return {"reduce_on_plateau": plateau}
    if kind < 6 and epochs >= 5:
        rise: dict[str, Tree] = {"total_iters": rng.randint(1, epochs // 4)}
        if rng.random() < 0.8:
            # What follows counts the epochs that are left.
            rise["then"] = rng.choice([plain[0], plain[4], plain[6], {"step": max(1, epochs // 4)}])
        return {"warmup": rise}
    return rng.choice(plain)


def batch(rng: Random, rows: int, *, normed: bool) -> Tree:
    """Draw a batch size that fits; with batch_norm, no row may be left alone."""
    sizes = [size for size in (1, 4, 8, 10, 16, 32, 50, 64, 128) if size <= rows]
    fit = [size for size in sizes if not normed or (size >= 8 and rows % size != 1)]
    return rng.choice([*fit, "all"])


def training(rng: Random, data: Data, *, normed: bool, whole: bool) -> tuple[dict[str, Tree], int]:
    """Draw a loop, and say how many epochs it has.

    Args:
        rng: What decides.
        data: The rows.
        normed: Whether the network has a batch_norm.
        whole: Whether the optimizer wants the whole batch.
    """
    epochs = rng.choice((5, 10, 20, 50, 100, 200))
    loop: dict[str, Tree] = {"epochs": epochs}
    size = "all" if whole else batch(rng, data.rows, normed=normed)
    lonely = data.train is not None and data.train % 32 == 1
    if whole or rng.random() < 0.8 or (normed and (lonely or data.train is None)):
        loop["batch_size"] = size
    if loop.get("batch_size", 32) != "all" and data.rows >= 128 and rng.random() < 0.15:
        loop["drop_last"] = True
    loop |= {key: value for key, value in ORDINARY.items() if rng.random() < 0.06}
    if data.validation and rng.random() < 0.3:
        stop: dict[str, Tree] = {"patience": rng.randint(2, 5)}
        if rng.random() < 0.6:
            stop["monitor"] = "validation.loss"
        loop["early_stopping"] = stop
    if epochs == 100 and rng.random() < 0.5:
        del loop["epochs"]
    return loop, epochs
