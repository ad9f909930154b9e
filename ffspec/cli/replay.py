"""What a run says of another: whether a replay came to the same bits, and which digits stay if little changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ffspec.diagnostics import StorageError

if TYPE_CHECKING:
    from ffspec.document import Document
    from ffspec.runner.result import Result


def replayed(opened: Document, result: Result) -> str:
    """Say whether the run of a run directory's resolved spec came to that run's bits; nothing for another spec."""
    from ffspec import rundir
    from ffspec.cli.diff import told
    from ffspec.comparison import compare

    source = Path(opened.source.name)
    old = source.parent
    several = (old / rundir.SEVERAL).is_file()  # no run of its own
    if source.name != rundir.RESOLVED or several or result.directory is None or not (old / rundir.MANIFEST).is_file():
        return ""
    try:
        found = compare(rundir.RunDirectory(old), rundir.RunDirectory(result.directory))
        together = json.loads(rundir.RunDirectory(old).read(rundir.STATUS)).get("together", 1)
    except StorageError as error:
        return f"\n  cannot be compared: {error}"
    if found.same:
        return f"\n  the same bits as {old}"
    lines = "\n".join(f"  {line}" for line in told(found).splitlines())
    others = f", one of {together} that were trained as one network" if together > 1 else ""
    return f"\n  not the same bits as {old}{others}:\n{lines}"


def digits_that_stay(result: Result, nudged: Result) -> str:
    """Say how many digits of each measure stay when the first weights are moved by the least there is."""
    from ffspec.cli.table import table
    from ffspec.runner.stability import stable_digits

    found = stable_digits(result.after, nudged.after)
    rows = [(name, "all" if digits is None else f"{digits:.1f}") for name, digits in found.items()]
    return table(("from weights one unit in the last place away", "digits that stay"), rows)
