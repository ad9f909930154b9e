"""The runner: evaluation, the training loop, and a run from beginning to end."""
