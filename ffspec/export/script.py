"""The script as it grows: its imports, and its blocks in order."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

NARROW = 88
"""Columns of an import: sorters of imports have 88 by default, and the formatter leaves a list that is split."""


class Script:
    """Collects the parts of a script; a block is a definition, or a run of statements."""

    def __init__(self) -> None:
        self._modules: set[str] = set()
        self._names: dict[str, set[str]] = {}
        self._blocks: list[str] = []

    def use(self, module: str, *names: str) -> None:
        """Import a module (`use("numpy as np")`), or names of one (`use("torch", "nn")`)."""
        if names:
            self._names.setdefault(module, set()).update(names)
        else:
            self._modules.add(module)

    def add(self, *lines: str) -> None:
        """Add a block; its lines may hold several lines each. A definition that is there is not added again."""
        block = "\n".join(lines)
        if not (_defines(block) and block in self._blocks):
            self._blocks.append(block)

    @property
    def modules(self) -> set[str]:
        """The modules outside the standard library."""
        named = {entry.split()[0].partition(".")[0] for entry in (*self._modules, *self._names)}
        return named - sys.stdlib_module_names

    def text(self, docstring: str) -> str:
        """Return the whole script."""
        parts = [docstring, *self._imports()]
        text = "\n\n".join(parts)
        previous = ""
        for block in self._blocks:
            gap = "\n\n\n" if _defines(block) or _defines(previous) else "\n\n"
            text += gap + block
            previous = block
        return text + "\n"

    def _imports(self) -> Iterable[str]:
        """Yield the imports, those of the standard library first, each part in order."""
        entries = [(entry.split()[0], f"import {entry}") for entry in self._modules]
        named = [(module, _from(module, names)) for module, names in self._names.items()]
        for own in (True, False):
            chosen = [
                line
                for part in (entries, named)
                for module, line in sorted(part)
                if (module.partition(".")[0] in sys.stdlib_module_names) is own
            ]
            if chosen:
                yield "\n".join(chosen)


def _from(module: str, names: Iterable[str]) -> str:
    line = f"from {module} import {', '.join(sorted(names))}"
    if len(line) <= NARROW:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in sorted(names)) + ")"


def _defines(block: str) -> bool:
    """Whether a block is a function or a class, behind comments and decorators."""
    return re.match(r"(#[^\n]*\n|@[^\n]*\n)*(def|class) ", block) is not None
