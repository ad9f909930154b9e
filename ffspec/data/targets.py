"""Deciding whether a target is classes or values, and turning it into the numbers a loss takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffspec.data.loaded import Floats, Ints, RawTarget
from ffspec.data.problems import problem, quoted
from ffspec.diagnostics import Path, SpecError
from ffspec.spec.facts import TargetKind
from ffspec.spec.sources import FEW, Label


@dataclass(frozen=True, slots=True)
class Target:
    """The target of all rows: class codes of shape (N,) with their labels, or values of shape (N, C)."""

    y: Floats | Ints
    names: tuple[str, ...]
    classes: tuple[Label, ...] | None

    @property
    def kind(self) -> TargetKind:
        """Classes or values."""
        return "values" if self.classes is None else "classes"


def settle(raw: RawTarget, wants: TargetKind | None, path: Path) -> Target:
    """Read the target as the loss needs it; where it needs nothing in particular, as what it looks like.

    Texts and booleans are classes, fractions are values; whole numbers are either, and by themselves classes if they
    are at most 20 different ones.

    Raises:
        SpecError: FF034, the target cannot be what the loss, or `task`, needs.
    """
    kind = _kind(raw, wants, path)
    if kind == "values":
        if raw.classes is not None:
            return Target(np.array(raw.classes, dtype=np.float64)[raw.values].reshape(-1, 1), raw.names, None)
        values = np.ascontiguousarray(raw.values, dtype=np.float64)
        return Target(values.reshape(len(values), -1), raw.names, None)
    if raw.classes is not None:
        return Target(raw.values.astype(np.int64), raw.names, raw.classes)
    labels, codes = np.unique(raw.values, return_inverse=True)
    return Target(codes.astype(np.int64), raw.names, tuple(_label(label) for label in labels.tolist()))


def _kind(raw: RawTarget, wants: TargetKind | None, path: Path) -> TargetKind:
    named = f"the target {quoted(raw.names)}"
    if raw.values.ndim == 2:
        if "classes" in (wants, raw.kind):
            raise _misfit(f"the loss needs one column of classes, found {raw.values.shape[1]} target columns", path)
        return "values"
    if raw.classes is not None:
        if "values" in (wants, raw.kind) and not raw.numeric:
            raise _misfit(f"{_asking(wants)} needs numbers, but {named} is a class: {quoted(raw.classes)}", path)
        return wants or "classes"
    if raw.values.dtype.kind in "OUb":
        if "values" in (wants, raw.kind):
            found = quoted(_label(label) for label in np.unique(raw.values).tolist())
            raise _misfit(f"{_asking(wants)} needs numbers, but {named} is a class: {found}", path)
        return "classes"
    return _kind_of_numbers(raw, wants, named, path)


def _asking(wants: TargetKind | None) -> str:
    """Say who needs numbers."""
    return "the loss" if wants == "values" else "'task: regression'"


def _kind_of_numbers(raw: RawTarget, wants: TargetKind | None, named: str, path: Path) -> TargetKind:
    values = raw.values
    if raw.kind is not None and wants is not None and raw.kind != wants:
        needs, has = ("classes", "numbers") if wants == "classes" else ("numbers", "classes")
        raise _misfit(f"the loss needs {needs}, but {named} is {has}", path)
    kind = raw.kind or wants
    fractions = values[values != np.floor(values)] if values.dtype.kind == "f" else values[:0]
    if kind == "classes" and len(fractions):
        needs = "the loss" if wants == "classes" else "'task: classification'"
        found = quoted(dict.fromkeys(fractions.tolist()))
        raise _misfit(f"{needs} needs classes, but {named} holds fractions: {found}", path)
    if kind is None:
        return "classes" if not len(fractions) and len(np.unique(values)) <= FEW else "values"
    return kind


def _label(label: object) -> Label:
    """Return a label that JSON can hold; a whole number without its `.0`."""
    if isinstance(label, float):
        return int(label)
    return label if isinstance(label, bool | int | str) else str(label)


def _misfit(message: str, path: Path) -> SpecError:
    return problem("FF034", message, path)
