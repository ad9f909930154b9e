"""A sweep: points of a spec trained in turn, the best of them by the validation split, and how sure that is."""

from ffspec.runner.sweeping.sweep import Silent, Watcher, sweep
from ffspec.runner.sweeping.trials import Sweeping, Trial

__all__ = ["Silent", "Sweeping", "Trial", "Watcher", "sweep"]
