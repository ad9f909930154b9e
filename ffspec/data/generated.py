"""Drawing the generated data sets: every split in one draw, from one distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from ffspec.data.loaded import Floats, Ints, Raw, RawTarget
from ffspec.seeds import derive
from ffspec.spec.generators import Blobs, Circles, Generator, Moons, Spirals, Xor
from ffspec.spec.step import given

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
INNER_RADIUS = 0.1
"""Where the arms of the spirals begin: at the origin itself they would all meet."""


def generate(source: Generator, seed: int) -> Raw:
    """Draw all rows of a generator."""
    state = derive(seed, "data", bits=32) if source.random_state is None else source.random_state
    x, y = _draw(source, state)
    known = source.known()
    names = tuple(f"x{index}" for index in range(x.shape[1]))
    if known.target == "values":
        targets = ("y",) if y.ndim == 1 else tuple(f"y{index}" for index in range(y.shape[1]))
        return Raw(columns=list(x.T), names=names, target=RawTarget(values=y, names=targets, kind="values"))
    classes = source.classes if isinstance(source, Blobs) else tuple(range(known.classes or 0))
    codes = np.searchsorted(np.array(classes), y).astype(np.int64)
    return Raw(
        columns=list(x.T), names=names, target=RawTarget(values=codes, names=("y",), kind="classes", classes=classes)
    )


def _draw(source: Generator, state: int) -> tuple[Floats, Any]:
    if isinstance(source, Xor):
        return xor(source, state)
    if isinstance(source, Spirals):
        return spirals(source, state)
    if isinstance(source, Blobs):
        return blobs(source, state)
    if isinstance(source, Moons | Circles):
        return curves(source, state)
    from sklearn import datasets

    arguments = {name: _argument(value) for name, value in given(source).items()}
    make = getattr(datasets, f"make_{source.name}")
    x, y = make(**{**arguments, "n_samples": source.rows, "random_state": state})
    return x, y


def _argument(value: Any) -> Any:
    """Return an argument as scikit-learn takes it: lists as arrays, None for a random shift or scale."""
    if value == "random":
        return None
    return np.array(value) if isinstance(value, tuple) else value


def blobs(source: Blobs, state: int) -> tuple[Floats, Ints]:
    """Return scikit-learn's `make_blobs`, to the last bit, without the two seconds of importing it."""
    random = np.random.RandomState(state)
    if isinstance(source.centers, int):
        centers = random.uniform(source.center_box[0], source.center_box[1], size=(source.centers, source.width))
    else:
        centers = np.array(source.centers)
    count = len(centers)
    deviations = np.broadcast_to(np.array(source.cluster_std), (count,))
    sizes = [source.rows // count + (index < source.rows % count) for index in range(count)]
    clouds = [
        random.normal(loc=center, scale=deviation, size=(size, source.width))
        for center, deviation, size in zip(centers, deviations, sizes, strict=True)
    ]
    x, y = np.concatenate(clouds), np.repeat(source.labels or range(count), sizes).astype(np.int64)
    return _shuffled(x, y, random) if source.shuffle else (x, y)


def curves(source: Moons | Circles, state: int) -> tuple[Floats, Ints]:
    """Return scikit-learn's `make_moons` or `make_circles`, to the last bit."""
    random = np.random.RandomState(state)
    outer = source.rows // 2
    inner = source.rows - outer
    if isinstance(source, Moons):
        lower = np.array([1.0, 1.0]) - _circle(inner, np.pi, ends=True) - np.array([0.0, 0.5])
        parts = _circle(outer, np.pi, ends=True), lower
    else:
        parts = _circle(outer, 2 * np.pi, ends=False), _circle(inner, 2 * np.pi, ends=False) * source.factor
    x, y = np.concatenate(parts), np.repeat(np.arange(2), [outer, inner]).astype(np.int64)
    if source.shuffle:
        x, y = _shuffled(x, y, random)
    return x + random.normal(scale=source.noise, size=x.shape), y


def _circle(count: int, stop: float, *, ends: bool) -> Floats:
    """Return points on the unit circle at equal angles from 0 to `stop`."""
    angles = np.linspace(0, stop, count, endpoint=ends)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _shuffled(x: Floats, y: Ints, random: np.random.RandomState) -> tuple[Floats, Ints]:
    """Return the rows in the order in which `sklearn.utils.shuffle` puts them."""
    order = np.arange(len(y))
    random.shuffle(order)
    return x[order], y[order]


def xor(source: Xor, state: int) -> tuple[Floats, Ints]:
    """Return the corners of the unit square in turn, moved by noise, and their exclusive or."""
    corners = CORNERS[np.arange(source.rows) % 4]
    noise = np.random.RandomState(state).normal(scale=source.noise, size=corners.shape)
    return corners + noise, (corners[:, 0] != corners[:, 1]).astype(np.int64)


def spirals(source: Spirals, state: int) -> tuple[Floats, Ints]:
    """Return points on Archimedean spirals within the unit circle, moved by noise, and the arm of each."""
    random = np.random.RandomState(state)
    arms = np.arange(source.rows) % source.n_classes
    radius = random.uniform(INNER_RADIUS, 1.0, size=source.rows)
    angle = 2 * np.pi * (source.turns * radius + arms / source.n_classes)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return x + random.normal(scale=source.noise, size=x.shape), arms.astype(np.int64)
