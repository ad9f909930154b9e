"""When the state of a training is kept: now and then, at the end, and when a signal asks the run to stop."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ffspec.diagnostics import InterruptedRunError, StorageError
from ffspec.runner.checkpoints import encode, state_of_trainer
from ffspec.runner.signals import heeding

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import FrameType

    from ffspec.rundir import RunDirectory
    from ffspec.runner.loop import Trainer
    from ffspec.spec.training import Checkpoint, Training


def settings_of(training: Training) -> Checkpoint | None:
    """Return when the state of a training is kept; None: only at the end, and when a signal asks for it."""
    return None if isinstance(training.checkpoint, str) else training.checkpoint


@dataclass(slots=True, kw_only=True)
class Keeper:
    """Keeps checkpoints in a run directory. What it decides by the clock changes no bit of the result."""

    directory: RunDirectory | None
    """None: nothing is kept, and only signals are heeded."""
    settings: Checkpoint | None
    """When; None: only at the end, and when a signal asks for it."""
    identity: dict[str, Any]
    """What the run is, so that it is not resumed as another."""
    table: bool = False
    """Whether the rows are in a file: then the way to go on has to allow it to be where it is."""
    steps: int = 0
    signal: int = 0
    """The signal that asks the run to stop after this step; 0: none."""
    _saved_at: float = field(default_factory=time.monotonic)

    def after_step(self, trainer: Trainer) -> None:
        """Keep the state if it is time; stop if a signal asked for it.

        Raises:
            InterruptedRunError: A signal has come.
        """
        self.steps += 1
        settings = self.settings
        if self.signal:
            self.save(trainer)
            self.heed()
        if settings is not None and (
            (settings.steps is not None and self.steps % settings.steps == 0)
            or (settings.seconds is not None and time.monotonic() - self._saved_at >= settings.seconds)
        ):
            self.save(trainer)

    def heed(self) -> None:
        """Stop if a signal asked for it.

        Raises:
            InterruptedRunError: A signal has come.
        """
        if self.signal:
            raise InterruptedRunError(self.signal, self.directory and self.directory.path, table=self.table)

    def after_epoch(self, trainer: Trainer) -> None:
        """Keep the state if it is time, and at the end."""
        cursor, settings = trainer.cursor, self.settings
        last = cursor.ended or cursor.epoch > trainer.epochs
        due = settings is not None and settings.epochs is not None and (cursor.epoch - 1) % settings.epochs == 0
        if last or due:
            self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        """Write a checkpoint.

        Raises:
            StorageError: It cannot be written; the message says which one is the last good one.
            DivergedError: The state holds a number that is not finite, and is not kept.
        """
        if self.directory is None:
            return
        content = encode(state_of_trainer(trainer, self.steps), self.identity)
        try:
            self.directory.keep(self.steps, content)
        except StorageError as error:
            whole = next(
                (path for path in self.directory.checkpoints() if self.directory.whole(path) is not None), None
            )
            kept = f"the last good checkpoint is {whole}" if whole else "there is no earlier checkpoint"
            raise StorageError(f"{error}; {kept}") from error
        self._saved_at = time.monotonic()

    def heeding_signals(self) -> AbstractContextManager[None]:
        """Let SIGINT and SIGTERM end the run after its step; a second one ends the process at once."""
        return heeding(self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.signal:
            # Nothing is half written: files are renamed into their place.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.signal = number
