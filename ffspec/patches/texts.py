"""Patches applied to a text, shown as a diff, and written to the file."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress

from ffspec.diagnostics import Patch, Position, StorageError

BOM = b"\xef\xbb\xbf"

_BREAK = re.compile(r"\r\n|\r|\n")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def apply(text: str, patches: Iterable[Patch]) -> str:
    """Apply the patches of a text in order of position; of those that overlap or meet at an insertion, the first."""
    mark = len(text) - len(text.removeprefix("\ufeff"))
    starts = [mark, *(match.end() for match in _BREAK.finditer(text))]
    pieces: list[str] = []
    done, inserted = 0, False
    for item in sorted(patches, key=lambda item: item.span):
        start, end = _offset(starts, item.span.start), _offset(starts, item.span.end)
        # Two insertions at one place may both add the key that is missing there.
        meets = start == done and (inserted or start == end)
        if not pieces or start > done or (start == done and not meets):
            pieces += text[done:start], item.text
            done, inserted = end, start == end
    return "".join((*pieces, text[done:]))


def diff(name: str, old: str, new: str) -> str:
    """Return the difference of two texts of one file as a unified diff; nothing if they are equal."""
    from difflib import unified_diff

    lines = unified_diff(_LINE.findall(old), _LINE.findall(new), name, name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def write(path: str | os.PathLike[str], text: str) -> None:
    """Replace the text of a file, whole or not at all; its permissions and its byte order mark stay.

    A symbolic link stays a link: the file it leads to is replaced.

    Raises:
        StorageError: It cannot be written; the file is as it was.
    """
    from secrets import token_hex

    target = os.path.realpath(path)
    temporary = f"{target}.tmp-{os.getpid()}-{token_hex(4)}"
    try:
        # Opened for writing, for a file that is protected from it must not be replaced either.
        with open(target, "r+b") as file:  # noqa: PTH123 - realpath returns text
            mark = BOM if file.read(len(BOM)) == BOM else b""
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        try:
            with open(temporary, "xb") as file:  # noqa: PTH123 - as above
                file.write(mark + text.removeprefix("\ufeff").encode())
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, mode)  # noqa: PTH101 - as above
            os.replace(temporary, target)  # noqa: PTH105 - as above
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 - as above
            raise
    except OSError as error:
        raise StorageError(f"cannot write {os.fspath(path)}: {error.strerror or error}") from error


def _offset(starts: list[int], position: Position) -> int:
    return starts[position.line - 1] + position.column - 1
