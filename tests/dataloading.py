"""Loading a data set in a test, and what is said where it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ffspec.data import Loaded, load
from ffspec.diagnostics import SpecError
from ffspec.spec.dataset import Dataset
from ffspec.spec.facts import TargetKind


def loaded(
    value: Any, directory: Path = Path(), *, seed: int = 0, wants: TargetKind | None = None, arrays: Any = None
) -> Loaded:
    """Load a data set written in the notation of a spec."""
    return load(Dataset.model_validate(value), seed=seed, directory=directory, wants=wants, arrays=arrays)


def refused(
    value: Any, directory: Path = Path(), *, wants: TargetKind | None = None, arrays: Any = None
) -> list[tuple[str, str, str, str | None]]:
    """Return the code, the place, the message and the hint of everything that is wrong with the data."""
    with pytest.raises(SpecError) as caught:
        loaded(value, directory, wants=wants, arrays=arrays)
    return said(caught.value)


def said(error: SpecError) -> list[tuple[str, str, str, str | None]]:
    """Return what an error says: codes, places, messages and hints."""
    return [(item.code, ".".join(map(str, item.path)), item.message, item.hint) for item in error.diagnostics]
