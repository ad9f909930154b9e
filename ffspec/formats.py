"""Diagnostics for other programs: the JSON of `--format json`, SARIF, and the workflow commands of GitHub Actions."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, TypeAlias
from urllib.parse import quote

from ffspec import __version__
from ffspec.codes import Code, explanation
from ffspec.diagnostics import Diagnostic, Patch, Severity, Span, printable

Results: TypeAlias = Sequence[tuple[str, Sequence[Diagnostic]]]
"""What was found in each file, by the file's name as the user wrote it."""

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_PLACEHOLDER = re.compile(r"\{(\d+)\}")
_IN_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTIES = {**_IN_DATA, ":": "%3A", ",": "%2C"}


def to_json(diagnostics: Sequence[Diagnostic], *, file: str) -> dict[str, Any]:
    """Return the diagnostics of one file as the object that `--format json` prints, also when there are none."""
    return {"version": 1, "file": file, "diagnostics": [_object(item) for item in diagnostics]}


def to_sarif(results: Results, codes: Mapping[str, Code]) -> dict[str, Any]:
    """Return the diagnostics of all files as a SARIF 2.1.0 log of one run.

    Args:
        results: What was found in each file.
        codes: The long form of every code; one that is not there becomes a rule without words.
    """
    found = [(file, item) for file, diagnostics in results for item in diagnostics]
    rules = sorted({item.code for _, item in found})
    driver = {"name": "ffspec", "version": __version__, "rules": [_rule(code, codes.get(code)) for code in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(file, item, rules.index(item.code)) for file, item in found],
    }
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def to_github(results: Results) -> str:
    """Return the diagnostics as workflow commands, one a line, which GitHub shows beside the lines of a change."""
    return "\n".join(_command(file, item) for file, diagnostics in results for item in diagnostics)


def _object(item: Diagnostic) -> dict[str, Any]:
    found = {
        "code": item.code,
        "severity": item.severity.value,
        "message": item.message,
        "help": item.hint,
        "url": None,
        "path": list(item.path),
        "range": None if item.span is None else _range(item.span),
        "fix": None if item.patch is None else _fix(item.patch),
    }
    return found if item.origin is None else {**found, "origin": item.origin}


def _fix(patch: Patch) -> dict[str, Any]:
    return {"range": _range(patch.span), "text": patch.text, "safe": patch.safe}


def _range(span: Span) -> dict[str, Any]:
    return {name: {"line": at.line, "column": at.column} for name, at in (("start", span.start), ("end", span.end))}


def _rule(name: str, code: Code | None) -> dict[str, Any]:
    if code is None:
        return {"id": name}
    return {
        "id": name,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.reason},
        "help": {"text": explanation(code)},
        "defaultConfiguration": {"level": _LEVELS[code.severity]},
    }


def _result(file: str, item: Diagnostic, rule: int) -> dict[str, Any]:
    artifact = {"uri": _uri(file)}
    place: dict[str, Any] = {"artifactLocation": artifact}
    found: dict[str, Any] = {
        "ruleId": item.code,
        "ruleIndex": rule,
        "level": _LEVELS[item.severity],
        # Consumers replace `{0}` and nothing else: other braces, which the standard doubles, they show as they stand.
        "message": {"text": _PLACEHOLDER.sub(r"{{\1}}", _text(item))},
        "locations": [{"physicalLocation": place}],
    }
    if item.origin is not None:
        return found
    if item.span is not None:
        place["region"] = _region(item.span)
    if item.patch is not None:
        replacement = {"deletedRegion": _region(item.patch.span), "insertedContent": {"text": item.patch.text}}
        change = {"artifactLocation": artifact, "replacements": [replacement]}
        found["fixes"] = [{"description": {"text": item.hint or item.message}, "artifactChanges": [change]}]
    return found


def _region(span: Span) -> dict[str, int]:
    start, end = span.start, span.end
    return {"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column}


def _uri(file: str) -> str:
    """Return a file's URI: relative where it lies below the working directory, as viewers resolve it elsewhere."""
    path = PurePath(file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))


def _text(item: Diagnostic) -> str:
    """Return the message with its hint, and the override it is about, if any, for that stands in no file."""
    where = "" if item.origin is None else f"{item.origin}: "
    hint = "" if item.hint is None else f"; {item.hint}"
    return f"{where}{item.message}{hint}"


def _command(file: str, item: Diagnostic) -> str:
    properties: dict[str, str | int] = {"file": PurePath(file).as_posix()}
    if item.span is not None and item.origin is None:
        start, end = item.span.start, item.span.end
        properties |= {"line": start.line, "endLine": end.line}
        # GitHub knows no columns that begin and end on different lines, and drops the place of a command with such.
        if start.line == end.line:
            properties |= {"col": start.column, "endColumn": end.column}
    properties["title"] = item.code
    written = ",".join(f"{name}={_escaped(str(value), _IN_PROPERTIES)}" for name, value in properties.items())
    return f"::{_COMMANDS[item.severity]} {written}::{_escaped(_text(item), _IN_DATA)}"


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    """Escape what the runner reads as syntax, and leave out what the log's terminal would obey."""
    return "".join(escapes.get(character) or printable(character) for character in text)
