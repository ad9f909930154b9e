"""Mending a spec: edits by path turned into patches of the text, applied, shown and written to the file."""

from ffspec.patches.editing import patch
from ffspec.patches.texts import apply, diff, write

__all__ = ["apply", "diff", "patch", "write"]
