"""torch's global random state, used and given back."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def untouched(seed: int | None = None) -> Iterator[None]:
    """Run a block with a random state of its own, seeded if asked, and restore the caller's afterwards.

    Dropout and the constructors of torch.nn draw from the global generator; nothing else in ffspec does.
    """
    state = torch.get_rng_state()
    try:
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        yield
    finally:
        torch.set_rng_state(state)
