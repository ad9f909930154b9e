"""Crashes in the middle of a training, as abrupt as a process can make them to itself."""

from __future__ import annotations

import pytest

from ffspec.runner.keeper import Keeper
from ffspec.runner.loop import Trainer


class Crash(Exception):
    """Nothing is caught, and nothing is written."""


def crash_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next run crash right after a step, before anything else can happen."""
    keep = Keeper.after_step

    def after_step(keeper: Keeper, trainer: Trainer) -> None:
        keep(keeper, trainer)
        if keeper.steps == step:
            raise Crash

    monkeypatch.setattr(Keeper, "after_step", after_step)
