"""Signals that ask a program to end, for the length of a block."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def heeding(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let `handler` have SIGINT and SIGTERM; outside the main thread they are the caller's, and stay so."""
    try:
        before = {number: signal.signal(number, handler) for number in ENDING}
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
