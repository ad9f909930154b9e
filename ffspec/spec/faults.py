"""pydantic's errors in the words of a spec: what must hold, what was found, what to write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import ValidationError

from ffspec.diagnostics import Diagnostic, Edit, Path, brief
from ffspec.scalars import Unreadable, meant, resolve
from ffspec.spec import grammar
from ffspec.spec.base import describe
from ffspec.suggest import suggest, surely

HINTED = 100
"""Diagnostics that get a suggestion; in a text with more faults than this, looking for more would take seconds."""

MAX_FAULTS = 1000
"""Faults that are looked at; what has more of them is no spec."""

FEW = 16
"""Choices that are listed where none is near."""

_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "nothing",
}
_BOUNDS = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "finite_number": "must be finite",
    "string_pattern_mismatch": "must match {pattern}",
}
_LENGTHS = {
    "too_short": "must have at least {min_length} {items}, found {actual_length}",
    "too_long": "must have at most {max_length} {items}, found {actual_length}",
    "string_too_short": "must have at least {min_length} {characters}",
    "string_too_long": "must have at most {max_length} {characters}",
}
_NAMING = ("type", "name", "class", "class_path", "_target_")
"""Keys by which other notations name a component."""
_FORMS = {"component_form", "component_arguments"}


class _Help(NamedTuple):
    """What to write instead: in words, and as an edit where there is one answer."""

    hint: str | None = None
    edit: Edit | None = None


def faults(failure: ValidationError, value: Any) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each fault of `value`, the plain value that was validated, without positions.

    A misspelt required key is one fault: it is not also missing.
    """
    errors = [error for error in failure.errors(include_url=False) if not _echo(error)][:MAX_FAULTS]
    found = [_diagnostic(error, value, hinted=index < HINTED) for index, error in enumerate(errors)]
    meant_keys = {(*item.path[:-1], key) for item, key in found if item.code == "FF012" and key is not None}
    items = (item for item, _ in found if not (item.code == "FF011" and item.path in meant_keys))
    return tuple(dict.fromkeys(items))


def _echo(error: Any) -> bool:
    """Whether an error only repeats others: pydantic finds a list too short once its invalid items are left out."""
    return bool(error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"])


def _diagnostic(error: Any, whole: Any, *, hinted: bool) -> tuple[Diagnostic, str | None]:
    """Return the diagnostic for an error, and for an unknown key the key that was meant."""
    kind, path, value, context = error["type"], tuple(error["loc"]), error["input"], error.get("ctx", {})
    if kind in {"extra_forbidden", "unknown_key"} or (kind == "model_type" and _is_slip(path)):
        return _unknown_key(path, hinted=hinted)
    if kind == "missing":
        return _missing(path, whole), None
    if kind == "unknown_component":
        return _unknown_component(path, whole, context, hinted=hinted), None
    if kind in _FORMS:
        return _form(kind, path, value, context), None
    if kind == "dataset_source":
        return _source(path, context), None
    return _value(kind, path, value, context, error["msg"]), None


def _is_slip(path: Path) -> bool:
    """Return whether a key of an open mapping is rather a misspelt one of its own keys: 'improvs', among measures."""
    parent = grammar.at(path[:-1])
    node = grammar.node_of(parent)
    keys = grammar.keys_of(parent)
    return node is not None and grammar.is_open(node) and path[-1] not in keys and bool(suggest(str(path[-1]), keys))


def _unknown_key(path: Path, *, hinted: bool) -> tuple[Diagnostic, str | None]:
    key = str(path[-1])
    parent = grammar.at(path[:-1])
    choices = grammar.keys_of(parent)
    near = suggest(key, choices) if hinted else None
    plain = Diagnostic(code="FF012", message=f"unknown key '{brief(key)}'", path=path, at_key=True)
    if not hinted:
        return plain, near
    found = _key_help(key, path, choices, near)
    return replace(plain, hint=found.hint, edit=found.edit), near


def _key_help(key: str, path: Path, choices: Sequence[str], near: str | None) -> _Help:
    if key.startswith("-") and key.lstrip("-"):
        return _Help(f"put a space behind the dash: - {brief(key.lstrip('-'))}: ...")
    name, colon, rest = key.partition(":")
    if colon and suggest(name, choices):
        return _Help(f"put a space behind the colon: {suggest(name, choices)}: {brief(rest)}")
    if near and near.lower() == key.lower():
        return _Help(f"write '{near}'", _renaming(path, near, choices))
    home = next(grammar.homes(key), None)
    if home is not None and home.section is None:
        return _Help(f"'{key}' is a top-level key: write it without indentation")
    if near:
        return _Help(f"did you mean '{near}'?", _renaming(path, near, choices))
    if home is not None:
        return _Help(_home_hint(key, path, home))
    name = str(path[-2]) if len(path) > 1 else "the spec"
    if not choices:
        return _Help(f"'{name}' takes no arguments")
    return _Help(f"the keys here are {_listed(choices, 'and')}" if len(choices) <= FEW else None)


def _renaming(path: Path, near: str, choices: Iterable[str]) -> Edit:
    return Edit(action="rename", path=path, value=near, safe=surely(str(path[-1]), near, choices))


def _home_hint(key: str, path: Path, home: grammar.Home) -> str:
    if not home.members:
        return f"'{key}' belongs in '{home.section}'"
    users = _listed([*home.members[:3], *["others"] * (len(home.members) > 3)], "and")
    place = "" if home.section == path[0] else f", in '{home.section}'"
    return f"'{key}' is an argument of {users}{place}"


def _missing(path: Path, whole: Any) -> Diagnostic:
    key, parent = path[-1], path[:-1]
    written = _written(whole, parent)
    name = written if isinstance(written, str) else _subject(parent)
    subject = f"'{name}'" if parent else "a spec"
    return Diagnostic(code="FF011", message=f"{subject} needs '{key}'", path=path, hint=f"add '{key}: ...'")


def _written(whole: Any, path: Path) -> Any:
    """Return what stands at a path, or at its longest part that was written."""
    for key in grammar.find(path, whole)[0]:
        whole = whole[key]
    return whole


def _unknown_component(path: Path, whole: Any, context: Mapping[str, Any], *, hinted: bool) -> Diagnostic:
    found, choices = str(context["found"]), tuple(context["choices"])
    near = suggest(found, choices) if hinted else None
    hint = f"did you mean '{near}'?" if near else f"choose from {_listed(choices)}" if len(choices) <= 2 * FEW else None
    if hinted and found in _NAMING:
        near = None
        hint = _form_hint(path[:-1], {found: _written(whole, path)}, choices) or hint
    at_key = bool(path) and path[-1] == found and grammar.family_of(grammar.at(path[:-1])) is not None
    message = f"unknown {context['kind']} '{brief(found)}'"
    edit = _renaming(path if at_key else (*path, found), near, choices) if near else None
    return Diagnostic(code="FF014", message=message, path=path, at_key=at_key, hint=hint, edit=edit)


def _form(kind: str, path: Path, value: Any, context: Mapping[str, Any]) -> Diagnostic:
    choices = tuple(context["choices"])
    if kind == "component_arguments":
        name = context["name"]
        message = f"the arguments of '{name}' must be a mapping, found {context['found']}"
        hint = f"write {name}: {{{choices[0]}: ...}}" if choices else f"'{name}' takes no arguments: write {name}"
        return Diagnostic(code="FF016", message=message, path=path, hint=hint)
    article = "an" if context["kind"][0] in "aeiou" else "a"
    message = f"{article} {context['kind']} must be its name, or one key with its arguments; found {context['found']}"
    if context["kind"] == "metric":
        message = f"a metric must be its name, found {context['found']}"
    return Diagnostic(code="FF016", message=message, path=path, hint=_form_hint(path, value, choices))


def _form_hint(path: Path, value: Any, choices: Sequence[str]) -> str | None:
    if not isinstance(value, Mapping) or not value:
        return None
    named = [key for key in value if key in choices]
    if len(named) > 1:
        return f"choose one of {_listed(named)}"
    if named:
        rest = brief(next(key for key in value if key != named[0]))
        sole = grammar.sole_of(grammar.at((*path, named[0])))
        alone = sole and value[named[0]] is not None and not isinstance(value[named[0]], Mapping)
        first = f"{sole}: {describe(value[named[0]])}, " if alone else ""
        return f"put '{rest}' under '{named[0]}': {named[0]}: {{{first}{rest}: ...}}"
    for key in _NAMING:
        if isinstance(value.get(key), str):
            name = brief(suggest(value[key].rpartition(".")[2], choices) or value[key])
            return f"write the name as the key: {name}: {{...}}"
    return None


def _source(path: Path, context: Mapping[str, Any]) -> Diagnostic:
    hint = "leave all but one out" if context["found"] != "none" else "for instance 'blobs', 'iris' or 'csv: data.csv'"
    return Diagnostic(
        code="FF016", message=f"a dataset must name one source, found {context['found']}", path=path, hint=hint
    )


def _value(kind: str, path: Path, value: Any, context: Mapping[str, Any], message: str) -> Diagnostic:
    subject, found = _subject(path), describe(value)
    if kind == "either":
        text = f"{subject} must be {context['expected']}, found {found}"
        near = _near(path, value, _quoted(context["expected"]))
        hint, edit = near if near.hint else _habit(path, value, context["expected"])
        return Diagnostic(code="FF013", message=text, path=path, hint=hint, edit=edit)
    if kind == "literal_error":
        choices = _choices(path) or _quoted(context["expected"])
        text = f"{subject} must be {_listed(choices, quote=True) if choices else context['expected']}, found {found}"
        hint, edit = _near(path, value, choices)
        return Diagnostic(code="FF015", message=text, path=path, hint=hint, edit=edit)
    if kind in _KINDS:
        text = f"{subject} must be {_KINDS[kind]}, found {found}"
        hint, edit = _habit(path, value, _KINDS[kind])
        return Diagnostic(code="FF013", message=text, path=path, hint=hint, edit=edit)
    if kind in _BOUNDS:
        bound = _BOUNDS[kind].format_map({name: _number(limit) for name, limit in context.items()})
        return Diagnostic(code="FF015", message=f"{subject} {bound}, found {found}", path=path)
    if kind in _LENGTHS:
        count = context.get("min_length", context.get("max_length"))
        words = {"items": "item" if count == 1 else "items", "characters": "character" if count == 1 else "characters"}
        return Diagnostic(code="FF015", message=f"{subject} {_LENGTHS[kind].format(**context, **words)}", path=path)
    text = message.removeprefix("Value error, ")
    if text.startswith(("must ", "needs ", "may ")):
        text = f"{subject} {text}"
    return Diagnostic(code="FF015", message=text[:1].lower() + text[1:] if text[1:2].islower() else text, path=path)


def _number(limit: Any) -> str:
    if isinstance(limit, float) and limit.is_integer() and abs(limit) < 1e6:
        return str(int(limit))
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:g}" if isinstance(limit, float) else str(limit)


def _subject(path: Path) -> str:
    if not path:
        return "the spec"
    items = ""
    for key in reversed(path):
        if isinstance(key, str):
            return f"{key}{items}"
        items = f"[{key}]{items}"
    return items


def _choices(path: Path) -> tuple[str, ...]:
    return tuple(
        str(item).lower() if isinstance(item, bool) else item if isinstance(item, str) else str(item)
        for kind in grammar.at(path)
        if get_origin(kind) is not None and not isinstance(kind, grammar.Items)
        for item in get_args(kind)
        if isinstance(item, str | int)
    )


def _quoted(expected: str) -> tuple[str, ...]:
    return tuple(re.findall(r"'([^']*)'", expected))


def _near(path: Path, value: Any, choices: Sequence[str]) -> _Help:
    near = suggest(value, choices) if isinstance(value, str) else None
    if not near:
        return _Help()
    safe = surely(value, near, choices)
    return _Help(f"did you mean '{near}'?", Edit(action="replace", path=path, value=resolve(near), safe=safe))


def _habit(path: Path, value: Any, wanted: str) -> _Help:
    """Say what to write where a value is right but for its notation."""
    meaning = _meaning(value, wanted)
    if meaning is not None:
        bare = isinstance(value, str) and type(resolve(value)) is type(meaning)
        hint = f"write {brief(value)} without quotes" if bare else f"write {describe(meaning)}"
        # 1:30 may be ninety, or a time of day.
        safe = not isinstance(value, str) or ":" not in value
        return _Help(hint, Edit(action="replace", path=path, value=meaning, safe=safe))
    if isinstance(value, bool | int | float) and wanted == "text":
        shown = str(value).lower() if isinstance(value, bool) else value
        return _Help(f'write "{shown}" if it is text')
    if wanted == "a list" and isinstance(value, Mapping):
        return _Help("begin each item with '- '")
    if wanted == "a list" and value is not None:
        return _Help(f"write [{brief(value) if isinstance(value, str) else describe(value)}]")
    return _Help()


def _meaning(value: Any, wanted: str) -> bool | int | float | None:
    """Return the value that another notation stands for, if it is of the kind that is wanted."""
    read: Any = value
    if isinstance(value, str):
        read = resolve(value)
        read = meant(value) if isinstance(read, str | Unreadable) else read
    if wanted == "true or false":
        number = isinstance(value, int) and value in (0, 1)
        return bool(read) if number or isinstance(read, bool) else None
    if "number" not in wanted or isinstance(read, bool) or not isinstance(read, int | float):
        return None
    if wanted.startswith("a whole number") and isinstance(read, float):
        return int(read) if read.is_integer() else None
    return read if isinstance(value, str) and (isinstance(read, int) or "a number of" not in wanted) else None


def _listed(words: Sequence[str], last: str = "or", *, quote: bool = False) -> str:
    shown = [f"'{word}'" if quote and not word.isdecimal() else word for word in words]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {last} {shown[-1]}" if shown else ""
