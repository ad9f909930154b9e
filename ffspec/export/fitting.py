"""What the network of a script takes from the training rows before training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.export.objective import scaled

if TYPE_CHECKING:
    from ffspec.export.script import Script
    from ffspec.export.subject import Subject


def add_fitting(script: Script, subject: Subject) -> None:
    """Add the lines that fit layers to the training rows, where there are such layers."""
    lines = ["model[-1].fit(y_train)"] if scaled(subject) else []
    if lines:
        script.add("# What layers know of the training rows.", *lines)
