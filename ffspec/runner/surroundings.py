"""What holds while a network is computed: how many threads there are, and what is not worth a warning."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def threads(count: int | Literal["auto"]) -> Iterator[None]:
    """Compute with `count` threads for a block; with one where it could not be settled."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if count == "auto" else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def unwarned() -> Iterator[None]:
    """Keep PyTorch from saying that with bf16 an rms_norm takes a slower way: its weight is float32 on purpose."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mismatch dtype between input and weight")
        yield
