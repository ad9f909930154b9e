"""Laws of the JSON Schema: on any spec, good or broken, it gives the reader's verdict on the structure.

Four things are kept out, each by its kind. Arguments that contradict each other (`inconsistent`) are beyond a schema,
and so is what the values of a sweep's axes make of the spec.
The names of measures in `checks` are judged by a rule, FF025, and in the schema by their form. And JSON has one kind of
number: a schema takes 10.0 for a whole number, so numbers without a fraction are written without a point.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, ValidationError
from pydantic import ValidationError as Failure

from ffspec import api, document
from ffspec.cli.schema import FILE
from ffspec.schema import FAMILIES
from ffspec.spec.base import to_plain
from ffspec.spec.dataset import Dataset
from ffspec.spec.faults import _echo
from ffspec.spec.root import Spec
from tests.laws.specs import whole

VALIDATOR = Draft7Validator(json.loads(FILE.read_text(encoding="utf-8")))
MEMBERS = [member for family in (*FAMILIES, Dataset.family) for member in family.members]
NAMES = sorted({member.name for member in MEMBERS})
KEYS = sorted({key for member in MEMBERS for key in member.model_fields} | set(Spec.model_fields) | set(NAMES))

Slot: TypeAlias = "tuple[dict[str, Any] | list[Any], Any]"
"""A value by where it stands: a mapping and a key of it, or a list and an index."""


def as_json(value: Any) -> Any:
    """Return a value as JSON has it: lists, and no point in a number without a fraction."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


SHIPPED = tuple(
    document.load(path).source.value for path in sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))
)
scalars = st.sampled_from([
    None, True, False, 0, 1, -1, 2, 0.5, 1.5, -0.5, 1e-9, 1e300, 10**7, 2**40, 10**13, "", "x", "all", "none", "1",
    "auto", "test.loss", "standardize", "a" * 5000,
])  # fmt: skip
collections = st.sampled_from([
    [], {}, [1], [0.5, 0.9], [[1, 2], [3, 4]], [None], ["x"], ["relu"], {"x": 1}, {"relu": None}, {"train": 0.5},
    {"train": 8, "test": 2}, {"min": 1},
])  # fmt: skip
wrong = scalars | collections.map(as_json)
components = st.one_of(
    st.sampled_from(NAMES),
    st.dictionaries(
        st.sampled_from(NAMES),
        wrong | st.dictionaries(st.sampled_from(KEYS), wrong, max_size=2),
        min_size=1,
        max_size=2,
    ),
)


def slots(value: Any) -> Iterator[Slot]:
    """Yield where every value stands, keys before what is below them."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from slots(item)


def _misspell(draw: st.DrawFn, box: Any, key: Any) -> None:
    if isinstance(box, dict):
        at = draw(st.integers(0, len(key)))
        letter = draw(st.sampled_from(["", "a", "s", "_", "."]))
        box[key[:at] + letter + key[at + draw(st.integers(0, 1)) :]] = box.pop(key)


def _remove(draw: st.DrawFn, box: Any, key: Any) -> None:
    del box[key]


def _add(draw: st.DrawFn, box: Any, key: Any) -> None:
    """Add a key inside the value, or else beside it: beside a component's name, too."""
    inner = box[key] if isinstance(box[key], dict) else box
    if isinstance(inner, dict):
        inner[draw(st.sampled_from(KEYS))] = draw(wrong | components)
    else:
        inner.append(draw(wrong | components))


def _replace(draw: st.DrawFn, box: Any, key: Any) -> None:
    box[key] = draw(wrong)


def _exchange(draw: st.DrawFn, box: Any, key: Any) -> None:
    box[key] = draw(components)


def _wrap(draw: st.DrawFn, box: Any, key: Any) -> None:
    name = draw(st.sampled_from(["", "x", *NAMES]))
    box[key] = {name: box[key]} if name else [box[key]]


def _stretch(draw: st.DrawFn, box: Any, key: Any) -> None:
    number = box[key]
    if isinstance(number, int | float) and not isinstance(number, bool):
        box[key] = draw(st.sampled_from([-number, number * 1000, number + 0.5, number - 1, 0, 10**13, str(number)]))


CHANGES = (_misspell, _remove, _add, _replace, _exchange, _wrap, _stretch)


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """Draw a good spec with up to three changes of its structure."""
    value = as_json(draw(st.sampled_from(SHIPPED) | whole().map(to_plain)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(slots(value))
        if places:
            draw(st.sampled_from(CHANGES))(draw, *places[draw(st.integers(0, len(places) - 1))])
    return as_json(value)


def written(value: Any) -> str:
    """Write a value as JSON, which is YAML 1.2, in characters that may stand in YAML."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda match: f"\\U{ord(match[0]):08x}", text)


def kinds(value: Any) -> set[str]:
    """Return the kinds of fault the reader finds, but for those that only repeat others."""
    try:
        Spec.model_validate(value)
    except Failure as failure:
        errors = failure.errors(include_url=False)
        return {error["type"] for error in errors if not _echo(error)}
    return set()


def _is_name(error: ValidationError) -> bool:
    """Return whether the schema refuses the name of a measure."""
    return list(error.absolute_path) == ["checks"] and error.validator == "additionalProperties"


def _with(**changes: Any) -> dict[str, Any]:
    return {"dataset": "iris", "layers": ["linear"], "loss": "cross_entropy", "optimizer": "adam", **changes}


@given(changed())
@example(_with(dataset={"csv": "a.csv"}))
@example(_with(dataset={"csv": {"path": "a.csv", "target": "y", "drop": []}}))
@example(_with(dataset={"iris": None, "wine": None}))
@example(_with(dataset={"blobs": {"train": 8, "test": 2}}))
@example(_with(dataset={"blobs": {"n_samples": {"train": 8, "test": 2}}}))
@example(_with(metrics=["accuracy"] * 101))
@example(_with(checks={"test.los": {"min": 0}}))
@example(_with(checks={"loss": {"min": 0}}))
@example(_with(checks={"loss": {"min": "x"}}))
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_the_schema_gives_the_readers_verdict_on_the_structure(value: Any) -> None:
    opened = document.parse(written(value))
    assert not opened.source.diagnostics
    found = kinds(opened.source.value)
    tried = all(item.path[:2] == ("sweep", "axes") for item in opened.diagnostics)
    assert bool(opened.diagnostics) == bool(found) or (tried and not found)
    structural = found - {"inconsistent"}
    errors = list(VALIDATOR.iter_errors(value))
    names = [error for error in errors if _is_name(error)]
    event("broken" if structural else "contradictory" if found else "good")
    assert bool(structural) <= bool(errors), structural
    assert (len(errors) > len(names)) <= bool(structural), [error.message for error in errors]
    if names and not found:
        assert "FF025" in {item.code for item in api.diagnose(opened)}
