"""What the command says of an error, on one line or as it is rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.diagnostics import FfspecError, InterruptedRunError, SpecError

if TYPE_CHECKING:
    from ffspec.document import Document


def said(error: FfspecError, opened: Document | None = None) -> str:
    """Return the words for an error; `opened` is the spec it is about, where one of several may be."""
    text = str(error)
    if isinstance(error, InterruptedRunError | SpecError) and (text.startswith("interrupted") or "error[" in text):
        return text
    label = "error" if error.code is None else f"error[{error.code}]"
    return f"{label}: {text}" if opened is None else f"{opened.source.name}: {label}: {text}"
