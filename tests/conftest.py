"""What every test stands on: one thread, the same terminal everywhere, no clock in the property tests."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

# Before anything imports torch, and inherited by every child process: on small matrices a second thread
# costs more than it brings, and it changes the last bits.
os.environ["OMP_NUM_THREADS"] = "1"

# What runs in the background may have been told to ignore Ctrl-C, and its child processes with it: some are interrupted
# here.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A shared machine may stall for a second at any point; the same examples every time in CI, fresh ones at home.
settings.register_profile("ffspec", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("ffspec")

TERMINAL = (
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "FORCE_COLOR",
    "LINES",
    "NO_COLOR",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
)
"""The variables by which a terminal or its user changes how output looks."""


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make output the same on every machine: no colour, 80 columns wherever nothing else is said."""
    for name in TERMINAL:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "dumb")
