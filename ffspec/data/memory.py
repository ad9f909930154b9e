"""Memory for large arrays that goes back to the system as soon as an array is gone."""

from __future__ import annotations

import mmap
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LINE = 64
"""Bytes of a cache line: where a row begins within one can decide how a sum over it is rounded."""
LARGE = 1 << 20
"""Bytes from which an array has pages of its own; the allocator would keep what it gave out once."""


def unfilled(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array, not filled, that begins with a cache line, as every tensor of PyTorch does."""
    size = prod(shape) * np.dtype(dtype).itemsize
    if size >= LARGE:
        # Private where there is a choice: what is shared with children would count as a file in memory.
        private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}
        pages = mmap.mmap(-1, size, **private)
        if hasattr(mmap, "MADV_HUGEPAGE"):  # as numpy asks for: rows in random order are found in a tenth of the time
            with suppress(OSError):
                pages.madvise(mmap.MADV_HUGEPAGE)
        return np.frombuffer(pages, dtype=dtype).reshape(shape)
    room = np.empty(size + LINE, dtype=np.uint8)
    start = -room.ctypes.data % LINE
    return room[start : start + size].view(dtype).reshape(shape)


def give_back(array: NDArray[Any], count: int) -> None:
    """Let go of the first numbers of an array, which must not be used again; only whole pages of large ones go."""
    pages: Any = array
    while isinstance(pages, np.ndarray):
        pages = pages.base
    if isinstance(pages, memoryview):
        pages = pages.obj
    size = count * array.itemsize // LARGE * LARGE
    if size and isinstance(pages, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        with suppress(OSError):
            pages.madvise(mmap.MADV_DONTNEED, 0, size)
