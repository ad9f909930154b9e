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
    """Let `handler` have SIGINT and SIGTERM; outside the main thread they are the caller's, and stay so.

    One that was ignored stays so: whoever began the program in the background, or by nohup, has asked for it.
    """
    heeded = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
    try:
        before = {number: signal.signal(number, handler) for number in heeded}
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def held() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait for the end of what must be done whole."""
    heard: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        heard.append(number)

    with heeding(note):
        yield
    if heard:
        signal.raise_signal(heard[0])
