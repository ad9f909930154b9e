"""The JSON Schema of a spec (draft 7): what editors complete and check with.

A component is one of the names that stand alone, or a mapping with exactly one key. Editors have to guess which branch
of an `anyOf` or `oneOf` was meant, and blame the wrong one; so what a mapping must be stands behind an `if`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast, get_args

from ffspec.spec.base import Family, Node
from ffspec.spec.dataset import Dataset
from ffspec.spec.kinds import AnyLayer, AnyLoss, AnyOptimizer, AnyScheduler, BiasInitialiser, Initialiser
from ffspec.spec.root import Spec
from ffspec.spec.sweep import MOST, RANGE, AnyRange
from ffspec.spec.training import Bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.spec.base import Component

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
REFERENCE = "#/definitions/{model}"
_ITEMS = {"minLength": "minItems", "maxLength": "maxItems"}

FAMILIES: tuple[Family, ...] = tuple(
    get_args(kind)[1]
    for kind in (AnyLayer, Initialiser, BiasInitialiser, AnyLoss, AnyOptimizer, AnyScheduler, AnyRange)
)
"""Every place components may stand, but for the dataset, whose mapping has keys of its own besides."""


def text() -> str:
    """Return the schema as JSON: what `ffspec schema` prints, kept beside this module and in docs."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def schema() -> Schema:
    """Return the schema as plain values."""
    definitions: Schema = {}
    root = _node(Spec, definitions)
    for family in FAMILIES:
        definitions[family.kind] = _family(family, definitions)
    definitions["Dataset"] = _dataset(definitions)
    checks, bound = definitions["Checks"], _node(Bound, definitions)
    checks["additionalProperties"] = False
    checks["patternProperties"] = {r"^(train|validation|test)\.[a-z0-9_]+$": bound}
    listed = {"type": "array", "minItems": 1, "maxItems": MOST}
    definitions["Axes"]["minProperties"] = 1
    definitions["Axes"]["additionalProperties"] = _or_mapping([listed], {"$ref": f"#/definitions/{RANGE.kind}"})
    prepare = definitions["Prepare"]
    definitions["Prepare"] = _or_mapping([prepare["properties"]["scale"]], prepare)
    # What a recipe fills need not be there.
    root["if"] = {"required": ["recipe"], "properties": {"recipe": {"type": "string"}}}
    root["else"] = {"required": root["required"]}
    root["required"] = ["dataset"]
    return {"$schema": DRAFT, **root, "definitions": dict(sorted(definitions.items()))}


def _family(family: Family, definitions: Schema) -> Schema:
    """Return the schema of a component: its name, or a mapping with one key."""
    keyed = {**_keyed(family, definitions), "minProperties": 1, "maxProperties": 1}
    alone = list(_alone(family))
    return {"title": family.kind, **_or_mapping([{"enum": alone}] if alone else [], keyed)}


def _dataset(definitions: Schema) -> Schema:
    """Return the schema of the dataset: a source, alone or beside split and prepare."""
    family = Dataset.family
    node = _node(Dataset, definitions)
    keyed = _keyed(family, definitions)
    options = {name: node["properties"][name] for name in ("split", "prepare")}
    keyed["properties"] |= options
    sources = [{"required": [name]} for name in family.names]
    # No source and several are told apart: editors call the first name of a `oneOf` missing where none is there.
    keyed |= {"not": {"propertyNames": {"enum": list(options)}}, "if": {"anyOf": sources}, "then": {"oneOf": sources}}
    described = {"title": "dataset", "description": node["description"]}
    return {**described, **_or_mapping([{"enum": list(_alone(family))}], keyed)}


def _or_mapping(others: list[Schema], mapping: Schema) -> Schema:
    """Return the schema of a mapping, or of what may stand in its place."""
    return {"anyOf": [*others, {"type": "object"}], "if": {"type": "object"}, "then": mapping}


def _alone(family: Family) -> Iterator[str]:
    """Yield the names that need no arguments."""
    for member in family.members:
        if not any(field.is_required() for field in member.model_fields.values()):
            yield member.name


def _keyed(family: Family, definitions: Schema) -> Schema:
    properties = {member.name: _arguments(member, definitions) for member in family.members}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _arguments(member: type[Component], definitions: Schema) -> Schema:
    """Return what may stand behind a component's name: a mapping, the sole argument, or nothing."""
    mapping = _node(member, definitions)
    described = {"title": member.name, "description": mapping.get("description", "")}
    mapping["title"] = member.name
    others: list[Schema] = []
    if member.sole is not None and {member.sole} >= set(mapping.get("required", ())):
        others.append(_standing_alone(mapping["properties"][member.sole]))
    if not mapping.get("required"):
        others.append({"type": "null"})
    return {**described, **_or_mapping(others, mapping)} if others else mapping


def _standing_alone(argument: Schema) -> Schema:
    """Return what of an argument may stand without its name: no mapping, which would be read as the arguments.

    Its words are left out, for they would hide those of the component.
    """
    silent = {key: item for key, item in argument.items() if key not in {"title", "description", "default"}}
    forms = [form for form in argument.get("anyOf", ()) if "$ref" not in form]
    return {**silent, "anyOf": forms} if forms else silent


def _node(node: type[Node], definitions: Schema) -> Schema:
    """Return pydantic's own schema of a node, its definitions moved to the root."""
    made = node.model_json_schema(ref_template=REFERENCE)
    for name, inner in made.pop("$defs", {}).items():
        definitions.setdefault(name, _draft7(inner))
    return cast("Schema", _draft7(made))


def _draft7(value: Any) -> Any:
    """Write what draft 7 says otherwise, the elements of a tuple, and refer to the families."""
    if isinstance(value, list):
        return [_draft7(item) for item in value]
    if not isinstance(value, dict):
        return value
    # Draft 7 reads nothing beside a reference.
    if "$ref" in value:
        return {"$ref": value["$ref"]}
    made = {key: _draft7(item) for key, item in value.items()}
    if "family" in made:
        made = {"$ref": f"#/definitions/{made['family']}"}
    if "prefixItems" in made:
        made["items"] = made.pop("prefixItems")
        made["additionalItems"] = False
    if made.get("type") == "array":
        # pydantic counts the items of a list that a validator comes before as if they were characters.
        made = {_ITEMS.get(key, key): item for key, item in made.items()}
    return made
