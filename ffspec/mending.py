"""Mending a spec: the safe edits of its findings, applied until none is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec import api, document
from ffspec.diagnostics import Severity

if TYPE_CHECKING:
    from collections.abc import Collection

    from ffspec.diagnostics import Diagnostic
    from ffspec.document import Document

MENDING = 500
"""Edits that are applied at most: each is followed by another look at the whole."""


def mend(opened: Document, allow: Collection[str] = ()) -> tuple[Document, tuple[Diagnostic, ...]]:
    """Apply the safe edits of a document's findings, one after another, until none is left.

    One at a time, because an edit can make another needless, or bring a new fault to light. While the text is no valid
    spec, only that is mended: what the rules say of half a network may be wrong.

    Returns:
        The mended document, and the findings that were mended.
    """
    from ffspec.patches import apply

    seen: set[str] = {opened.source.text}
    mended: list[Diagnostic] = []
    while len(mended) < MENDING:
        found = opened.diagnostics or api.diagnose(opened, allow)
        chosen = (item for item in found if item.severity is not Severity.INFO)
        for item in chosen:
            text = apply(opened.source.text, [item.patch]) if item.patch is not None and item.patch.safe else None
            if text is not None and text not in seen and _readable(text, opened):
                break
        else:
            break
        seen.add(text)
        mended.append(item)
        opened = document.parse(text, opened.source.name, directory=opened.directory)
    return opened, tuple(mended)


def _readable(text: str, opened: Document) -> bool:
    """Return whether an edited text reads no worse than before."""
    now = document.parse(text, opened.source.name, directory=opened.directory).source
    return len(now.diagnostics) <= len(opened.source.diagnostics)
