"""Arrays in, arrays out: reading or drawing the rows of a spec, splitting and preparing them.

Every name is imported when it is first used: `ffspec explain` reads the codes without waiting for numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ffspec.data.loaded import Loaded, Split
    from ffspec.data.loading import load, load_spec
    from ffspec.data.preparation import Preparation

__all__ = ["Loaded", "Preparation", "Split", "load", "load_spec"]

_HOMES = {
    "Loaded": "ffspec.data.loaded",
    "Preparation": "ffspec.data.preparation",
    "Split": "ffspec.data.loaded",
    "load": "ffspec.data.loading",
    "load_spec": "ffspec.data.loading",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ffspec.data' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
