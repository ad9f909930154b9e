"""Spec -> YAML text that reads back to an equal spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from ffspec.scalars import resolve
from ffspec.spec.base import to_plain

if TYPE_CHECKING:
    from ffspec.spec.root import Spec

LINE_WIDTH = 100
BREAKS = frozenset("\x85\u2028\u2029")
"""Line breaks in YAML 1.1 only: PyYAML would fold a text at them, so they are written as escapes."""


class _Dumper(yaml.SafeDumper):
    """Block style outside, flow style for the innermost collections; quotes what YAML 1.1 or 1.2 would misread."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values out: a spec has no anchors."""
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002
        """Indent sequences inside mappings, as people do."""
        del indentless
        super().increase_indent(flow, indentless=False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Quote what a reader of YAML 1.2 would take for something else; PyYAML itself looks after YAML 1.1."""
    style = None if resolve(text) == text else "'"
    if not BREAKS.isdisjoint(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(tuple, lambda dumper, value: dumper.represent_list(value))


def dump(spec: Spec, *, full: bool = False) -> str:
    """Write a spec as YAML; `load` of the text gives an equal spec.

    Args:
        spec: The spec.
        full: Whether to write every default too.
    """
    text: str = yaml.dump(
        to_plain(spec, full=full),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=None,
        allow_unicode=True,
        width=LINE_WIDTH,
    )
    return text
