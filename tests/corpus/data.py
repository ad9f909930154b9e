"""Data sets of every kind that needs no file, each with what follows from its arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Literal, TypeAlias

from tests.corpus.text import Tree

Sign: TypeAlias = Literal["any", "positive", "unit", "centred"]
"""What the numbers of a target are known to be: anything, above 0, in (0, 1), in (-1, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A data set as it is written, and its shape."""

    tree: Tree
    features: int | None
    classes: int = 0
    """0 where the target is numbers."""
    columns: int = 1
    """Target columns, where it is numbers."""
    train: int | None
    """Rows to train on."""
    validation: bool
    sign: Sign = "any"

    @property
    def task(self) -> str:
        """What is to be told: numbers, two classes, or more."""
        return "values" if not self.classes else "binary" if self.classes == 2 else "multi"

    @property
    def rows(self) -> int:
        """Rows to train on, or a guess."""
        return self.train or 200


PREPARED = (None, None, "standardize", "minmax", "robust")
RAW = frozenset({"breast_cancer", "wine", "digits", "friedman2", "friedman3", "swiss_roll"})
"""Data sets with features of very different size, or far from 1: they must be scaled."""


def generated(rng: Random) -> tuple[Tree, int, bool]:
    """Return an n_samples, the rows to train on, and whether there is a validation split."""
    train, test = rng.randint(60, 500), rng.randint(20, 100)
    if rng.random() < 0.4:
        return {"train": train, "validation": test, "test": test}, train, True
    return {"train": train, "test": test}, train, False


def divided(rng: Random, total: int) -> tuple[Tree, int, bool]:
    """Return a split of so many rows, the rows to train on, and whether there is a validation split."""
    choice = rng.randrange(6)
    if choice == 0:
        return "none", total, False
    if choice == 1:
        return {"validation": 0.2, "test": 0.2}, total - 2 * ceil(total / 5), True
    if choice == 2:
        count = rng.randint(10, total // 5)
        return {"validation": count, "test": count}, total - 2 * count, True
    if choice == 3:
        count = rng.randint(10, total // 3)
        return {"test": count, "shuffle": True}, total - count, False
    return None, total - ceil(total / 5), False


def source(rng: Random, name: str, total: int | None = None, **arguments: Tree) -> tuple[Tree, int, bool]:
    """Return a data set as it is written, the rows to train on, and whether there is a validation split.

    Args:
        rng: What decides the split.
        name: What it is called.
        total: How many rows it has; drawn where it is made to measure.
        arguments: What else it is given.
    """
    samples: Tree = None
    split: Tree = None
    if total is not None:
        split, train, validation = divided(rng, total)
    elif rng.random() < 0.5:
        samples, train, validation = generated(rng)
    else:
        total = rng.randint(80, 600)
        split, train, validation = divided(rng, total)
        samples = total
    given = dict(arguments) if samples is None else {"n_samples": samples, **arguments}
    beside = {"split": split, "prepare": rng.choice(PREPARED[2:] if name in RAW else PREPARED)}
    beside = {key: value for key, value in beside.items() if value is not None}
    if not given and not beside:
        return name, train, validation
    if list(given) == ["n_samples"] and rng.random() < 0.7:
        return {name: samples, **beside}, train, validation
    return {name: given, **beside}, train, validation


def two(rng: Random) -> Data:
    """Draw a data set of two classes."""
    name = rng.choice(("moons", "circles", "xor", "breast_cancer", "spirals", "classification", "digits", "inline"))
    if name == "inline":
        return written(rng, classes=2)
    if name == "breast_cancer":
        tree, train, validation = source(rng, name, 569)
        return Data(tree=tree, features=30, classes=2, train=train, validation=validation)
    if name == "digits":
        tree, train, validation = source(rng, name, 360, n_class=2)
        return Data(tree=tree, features=64, classes=2, train=train, validation=validation)
    if name == "classification":
        width = rng.randint(4, 30)
        tree, train, validation = source(rng, name, n_features=width)
        return Data(tree=tree, features=width, classes=2, train=train, validation=validation)
    tree, train, validation = source(rng, name, noise=rng.choice((0.05, 0.1, 0.2)))
    return Data(tree=tree, features=2, classes=2, train=train, validation=validation)


def several(rng: Random) -> Data:
    """Draw a data set of more than two classes."""
    name = rng.choice(("iris", "wine", "digits", "blobs", "gaussian_quantiles", "spirals", "classification", "inline"))
    if name == "inline":
        return written(rng, classes=rng.randint(3, 4))
    if name in PACKAGED:
        features, classes, rows = PACKAGED[name]
        tree, train, validation = source(rng, name, rows)
        return Data(tree=tree, features=features, classes=classes, train=train, validation=validation)
    width, classes = rng.randint(2, 20), rng.randint(3, 8)
    if name == "blobs":
        tree, train, validation = source(rng, name, n_features=width, centers=classes, cluster_std=1.5)
    elif name == "gaussian_quantiles":
        tree, train, validation = source(rng, name, n_features=width, n_classes=classes)
    elif name == "spirals":
        width = 2
        tree, train, validation = source(rng, name, n_classes=classes, noise=0.05)
    else:
        tree, train, validation = source(rng, name, n_informative=5, n_features=width + 7, n_classes=classes)
        width += 7
    return Data(tree=tree, features=width, classes=classes, train=train, validation=validation)


PACKAGED = {"iris": (4, 3, 150), "wine": (13, 3, 178), "digits": (64, 10, 1797)}
CURVES = {"friedman2": 4, "friedman3": 4, "s_curve": 3, "swiss_roll": 3}


def numbers(rng: Random) -> Data:
    """Draw a data set whose target is numbers."""
    name = rng.choice(("diabetes", "regression", "regression", "friedman1", *CURVES, "inline"))
    if name == "inline":
        return written(rng)
    if name == "diabetes":
        tree, train, validation = source(rng, name, 442)
        return Data(tree=tree, features=10, train=train, validation=validation, sign="positive")
    if name == "regression":
        width, columns = rng.randint(3, 20), rng.choice((1, 1, 2, 5))
        tree, train, validation = source(
            rng, name, n_features=width, n_informative=3, n_targets=columns, noise=rng.choice((1.0, 10.0))
        )
        return Data(tree=tree, features=width, columns=columns, train=train, validation=validation)
    if name == "friedman1":
        width = rng.randint(5, 15)
        tree, train, validation = source(rng, name, n_features=width, noise=1.0)
        return Data(tree=tree, features=width, train=train, validation=validation)
    tree, train, validation = source(rng, name, noise=rng.choice((0.01, 0.1)))
    return Data(tree=tree, features=CURVES[name], train=train, validation=validation)


TARGETS: dict[Sign, tuple[float, float]] = {
    "any": (-20.5, 20.5),
    "positive": (0.5, 40.0),
    "unit": (0.05, 0.95),
    "centred": (-0.95, 0.95),
}


def written(rng: Random, *, classes: int = 0, sign: Sign | None = None) -> Data:
    """Draw rows that stand in the spec itself."""
    rows, width = rng.randint(12, 24), rng.randint(1, 4)
    x: Tree = [[round(rng.uniform(-3, 3), 2) for _ in range(width)] for _ in range(rows)]
    if width == 1 and rng.random() < 0.5:
        x = [row[0] for row in x]
    kind = rng.choice(tuple(TARGETS)) if sign is None else sign
    low, high = TARGETS[kind]
    names = rng.choice(([0, 1, 2, 3], ["ant", "bee", "cow", "dog"]))
    y: Tree = [low, high, *(round(rng.uniform(low, high), 4) for _ in range(rows - 2))]
    if classes:
        y = [names[row % classes] for row in range(rows)]
    tree = {"inline": {"x": x, "y": y}, "split": "none"}
    return Data(tree=tree, features=width, classes=classes, train=rows, validation=False, sign=kind)


def handed(rng: Random) -> Data:
    """Draw arrays that are handed over in Python: nothing is known of them."""
    classes = rng.choice((0, 2, 3))
    return Data(tree="arrays", features=None, classes=classes, train=None, validation=True)


KINDS: dict[str, Callable[[Random], Data]] = {"binary": two, "multi": several, "values": numbers}


def data(rng: Random, task: str) -> Data:
    """Draw a data set for a task: binary, multi or values."""
    return KINDS[task](rng)
