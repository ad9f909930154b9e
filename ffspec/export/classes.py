"""The classes that PyTorch lacks, as the builder has them: their source text, and what it needs around it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ffspec.export.script import Script

MODULES = ("fractions", "scaling", "stacked", "calibration", "embeddings", "shortcut", "compiled")
"""The modules of the builder whose classes may be copied: they use no more than torch and the standard library."""


def add_classes(script: Script, targets: Iterable[str]) -> None:
    """Add the classes some calls name, each after what it needs; those a script writes in its own way are left out."""
    added: set[str] = set()
    for name in dict.fromkeys(target.removeprefix("ffspec.") for target in targets):
        module = next((module for module in map(_read, MODULES) if name in module.parts), None)
        if module is not None:
            _add(script, module, name, added)


@dataclass(frozen=True, slots=True)
class _Module:
    """A module of the builder as text."""

    parts: Mapping[str, ast.stmt]
    """What it defines, by name."""
    imports: Mapping[str, tuple[str, str | None]]
    """What it imports, by the name it goes by: a module, and the name in it."""
    text: str


@cache
def _read(name: str) -> _Module:
    text = (resources.files("ffspec") / "builder" / f"{name}.py").read_text(encoding="utf-8")
    parts: dict[str, ast.stmt] = {}
    imports: dict[str, tuple[str, str | None]] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            parts[node.name] = node
        elif isinstance(node, ast.Assign):
            parts |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Import):
            imports |= {alias.name: (alias.name, None) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imports |= {alias.name: (node.module or "", alias.name) for alias in node.names}
    return _Module(parts, imports, text)


def _add(script: Script, module: _Module, name: str, added: set[str]) -> None:
    """Add a definition, after those of the same module it names."""
    if name in added:
        return
    added.add(name)
    node = module.parts[name]
    names = dict.fromkeys(inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
    for used in names:
        if used in module.parts:
            _add(script, module, used, added)
        elif used in module.imports:
            place, wanted = module.imports[used]
            script.use(place, *([] if wanted is None else [wanted]))
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    script.add("\n".join(module.text.splitlines()[first - 1 : node.end_lineno]))
