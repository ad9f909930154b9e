"""What every seeded fault is, and how a piece of a network is set among healthy ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from ffspec.diagnostics import Severity
from tests.corpus.data import Data
from tests.corpus.healthy import Sketch
from tests.corpus.layers import SILENT, WIDTHS, Taste, activation, repeated, residual, stage, stages
from tests.corpus.text import Mark, Tree


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break one rule: a healthy sketch with a marked fault in it."""

    code: str
    sketch: Callable[[Random], Sketch]
    severity: Severity = Severity.ERROR


def plain(rng: Random, *, quiet: bool = False) -> Taste:
    """Draw a taste without normalisation, for faults it would mend or hide."""
    return Taste.draw(rng, norms=False, quiet=quiet)


def normed(rng: Random, *, quiet: bool = False) -> Taste:
    """Draw a taste with batch_norm, so that the loop allows for it."""
    return Taste(norm="batch_norm", dropout=rng.choice((0.0, 0.2)), quiet=quiet)


def flat(pieces: list[list[Tree]]) -> list[Tree]:
    """Join stages to layers."""
    return [layer for piece in pieces for layer in piece]


def silent(rng: Random) -> list[Tree]:
    """Draw what changes nothing: mostly nothing at all."""
    return [rng.choice(SILENT)] if rng.random() < 0.2 else []


def among(rng: Random, taste: Taste, middle: list[Tree]) -> list[Tree]:
    """Set layers that begin with a linear and end with an activation among healthy stages."""
    return [*flat(stages(rng, taste, rng.randrange(3))), *middle, *flat(stages(rng, taste, rng.randrange(2)))]


def placed(rng: Random, taste: Taste, width: int, middle: Callable[[], list[Tree]]) -> list[Tree]:
    """Set layers among stages as they are, in a repeat, or in a residual.

    Args:
        rng: What decides.
        taste: What the stages have in common.
        width: What the layers return.
        middle: Draws the layers, which must begin with a linear and end with an activation.
    """
    kind = rng.randrange(4)
    if kind == 0:
        return among(rng, taste, [repeated(rng, middle())])
    if kind == 1:
        return among(rng, taste, [*stage(rng, width, taste), residual(rng, middle())])
    if kind == 2 and rng.random() < 0.5:
        return among(rng, taste, [*stage(rng, width, taste), repeated(rng, [residual(rng, middle())])])
    return among(rng, taste, middle())


def some_width(rng: Random) -> int:
    """Draw a width."""
    return rng.choice(WIDTHS)


def act(rng: Random) -> Tree:
    """Draw an activation."""
    return activation(rng)


def one_of(rng: Random, *trees: Tree) -> Mark:
    """Draw one of some layers and mark it, now and then with empty arguments."""
    tree = rng.choice(trees)
    return Mark({tree: {}} if isinstance(tree, str) and rng.random() < 0.1 else tree)


def exact(rng: Random, rows: int, *, classes: int = 3) -> Data:
    """Draw blobs of which so many rows are to train on."""
    width = rng.randint(2, 12)
    sizes = {"train": rows, "test": rng.randint(10, 40)}
    tree = {"blobs": {"n_samples": sizes, "n_features": width, "centers": classes}}
    return Data(tree=tree, features=width, classes=classes, train=rows, validation=False)
