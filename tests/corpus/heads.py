"""Losses, each with the end of the network it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.corpus.data import Data
from tests.corpus.layers import SILENT, named
from tests.corpus.text import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of a network and its loss."""

    layers: list[Tree]
    loss: Tree
    width: int
    counted: bool = False
    """Whether accuracy must be named, because the loss alone would take the classes for numbers."""


def last(rng: Random, width: int) -> Tree:
    """Draw the last linear: its width is inferred, or written."""
    kind = rng.randrange(8)
    if kind < 4:
        return rng.choice(("linear", "linear", {"linear": {"bias": False}}, {"linear": {"init": "zeros"}}))
    return named(rng, "linear", "out_features", width, **({"bias_init": "zeros"} if kind == 4 else {}))


def _weights(rng: Random, classes: int) -> dict[str, Tree]:
    return rng.choice([{}, {}, {"weight": "balanced"}, {"weight": [1.0] * (classes - 1) + [2.0]}])


def _with(name: str, arguments: dict[str, Tree]) -> Tree:
    return {name: arguments} if arguments else name


def cross_entropy(rng: Random, data: Data) -> Head:
    """Scores, one for each class."""
    given = {**_weights(rng, data.classes), **({"label_smoothing": 0.1} if rng.random() < 0.2 else {})}
    return Head(layers=[last(rng, data.classes)], loss=_with("cross_entropy", given), width=data.classes)


def nll(rng: Random, data: Data) -> Head:
    """Log-probabilities, one for each class."""
    loss = _with("nll", _weights(rng, data.classes))
    return Head(layers=[last(rng, data.classes), "log_softmax"], loss=loss, width=data.classes)


def multi_margin(rng: Random, data: Data) -> Head:
    """Scores, the right one ahead of the others."""
    given: dict[str, Tree] = rng.choice([{}, {"p": 2}, {"margin": 2.0}])
    return Head(layers=[last(rng, data.classes)], loss=_with("multi_margin", given), width=data.classes)


def _columns(data: Data) -> int:
    return 1 if data.classes == 2 else data.classes


def bce(rng: Random, data: Data) -> Head:
    """Probabilities: of the second class, or of each against the rest."""
    return Head(layers=[last(rng, _columns(data)), "sigmoid"], loss="bce", width=_columns(data))


def bce_with_logits(rng: Random, data: Data) -> Head:
    """The scores of those probabilities."""
    given: dict[str, Tree] = {}
    if data.classes == 2:
        given = rng.choice([{}, {"pos_weight": "balanced"}, {"pos_weight": 1.5}])
    return Head(layers=[last(rng, _columns(data))], loss=_with("bce_with_logits", given), width=_columns(data))


def multi_label_soft_margin(rng: Random, data: Data) -> Head:
    """The same under its other name."""
    return Head(layers=[last(rng, _columns(data))], loss="multi_label_soft_margin", width=_columns(data))


def soft_margin(rng: Random, data: Data) -> Head:
    """One margin, its sign the class."""
    return Head(layers=[last(rng, 1)], loss="soft_margin", width=1)


def perceptron(rng: Random, data: Data) -> Head:
    """The same, corrected where it is wrong."""
    return Head(layers=[last(rng, 1)], loss="perceptron", width=1)


def hinge_embedding(rng: Random, data: Data) -> Head:
    """A distance, which is never below 0."""
    loss = rng.choice(("hinge_embedding", {"hinge_embedding": 2.0}, {"hinge_embedding": {"margin": 1.0}}))
    return Head(layers=[last(rng, 1), "softplus"], loss=loss, width=1)


def brier(rng: Random, data: Data) -> Head:
    """Squared error of probabilities (Brier 1950), or of 0 and 1 as numbers (Widrow and Hoff 1960)."""
    ends: list[Tree] = [[], ["sigmoid"], *([["softmax"]] if data.classes > 2 else [])]
    return Head(layers=[last(rng, _columns(data)), *rng.choice(ends)], loss="mse", width=_columns(data), counted=True)


def regression(rng: Random, data: Data) -> Head:
    """Numbers, bounded only where all targets are."""
    ends: dict[str, list[list[Tree]]] = {
        "any": [[]],
        "positive": [[], [], ["softplus"]],
        "unit": [[], ["sigmoid"]],
        "centred": [[], ["tanh"]],
    }
    loss = rng.choice(("mse", "mse", "l1", "huber", {"huber": 2.0}, "smooth_l1", {"smooth_l1": {"beta": 0.5}}))
    layers = [last(rng, data.columns), *rng.choice(ends[data.sign])]
    return Head(layers=layers, loss=loss, width=data.columns)


def counts(rng: Random, data: Data) -> Head:
    """The logarithm of a rate (Poisson regression), for targets that are never negative."""
    loss = rng.choice(("poisson_nll", {"poisson_nll": {"full": True}}))
    end = last(rng, data.columns) if rng.random() < 0.5 else {"linear": {"bias_init": {"constant": 2.0}}}
    return Head(layers=[end], loss=loss, width=data.columns)


HEADS: dict[str, dict[str, Callable[[Random, Data], Head]]] = {
    "binary": {
        "cross_entropy": cross_entropy,
        "nll": nll,
        "multi_margin": multi_margin,
        "bce": bce,
        "bce_with_logits": bce_with_logits,
        "multi_label_soft_margin": multi_label_soft_margin,
        "soft_margin": soft_margin,
        "perceptron": perceptron,
        "hinge_embedding": hinge_embedding,
        "mse": brier,
    },
    "multi": {
        "cross_entropy": cross_entropy,
        "nll": nll,
        "multi_margin": multi_margin,
        "bce": bce,
        "bce_with_logits": bce_with_logits,
        "multi_label_soft_margin": multi_label_soft_margin,
        "mse": brier,
    },
    "values": {"regression": regression, "poisson_nll": counts},
}
"""The heads of each task, by the name of the loss; `regression` stands for mse, l1, huber and smooth_l1."""


def head(rng: Random, data: Data, name: str | None = None) -> Head:
    """Draw a head for a data set."""
    fitting = HEADS[data.task]
    if name is None:
        usual = {"binary": ["bce_with_logits"], "multi": ["cross_entropy"] * 3, "values": ["regression"] * 4}[data.task]
        names = [*usual, *(one for one in fitting if one != "poisson_nll" or data.sign == "positive")]
        name = rng.choice(names)
    return fitting[name](rng, data)


def silent(rng: Random) -> list[Tree]:
    """Draw what may stand behind the output and changes nothing: mostly nothing."""
    return [rng.choice(SILENT)] if rng.random() < 0.04 else []
