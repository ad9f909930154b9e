"""Arrays in, arrays out: reading or drawing the rows of a spec, splitting and preparing them."""

from __future__ import annotations

from ffspec.data.loaded import Loaded, Split
from ffspec.data.loading import load
from ffspec.data.preparation import Preparation

__all__ = ["Loaded", "Preparation", "Split", "load"]
