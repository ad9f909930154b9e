"""Generates specs, good in form, from the models themselves: every component, every argument within its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ffspec.spec.base import Component, Family, Node
from ffspec.spec.root import Spec
from ffspec.spec.training import Training

MOST = 3
"""Items of a generated list."""

REQUIRED = ("layers", "loss", "optimizer")
OPTIONAL = ("scheduler", "seed", "description")
NAMES = ("1e-3", "0x10", "0o17", "010", "no", "null", "true", "1", "1.5", "a.b-c_d", "1.2.3", "0", "1e5", "inf")
MEASURES = ("train.loss", "test.loss", "test.accuracy", "validation.log_loss")


def nodes(kind: type[Node]) -> st.SearchStrategy[Any]:
    """Generate a node: each argument is written, or left out where it may be."""
    fields = {name: values(field.annotation, field.metadata) for name, field in kind.model_fields.items()}
    required = {name: fields[name] for name, field in kind.model_fields.items() if field.is_required()}
    optional = {name: strategy for name, strategy in fields.items() if name not in required}
    arguments = st.fixed_dictionaries(required, optional=optional)
    return arguments.map(lambda given: _validated(kind, given)).filter(lambda node: node is not None)


@cache
def components(family: Family) -> st.SearchStrategy[Component]:
    """Generate any component of a family."""
    return st.sampled_from(family.members).flatmap(nodes)


def values(annotation: Any, metadata: Sequence[Any] = ()) -> st.SearchStrategy[Any]:
    """Generate what a field's annotation and bounds allow."""
    family = next((item for item in metadata if isinstance(item, Family)), None)
    if family is not None:
        return st.deferred(lambda: components(family))
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        own = [part for item in inner[1:] for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
        return values(inner[0], (*own, *metadata))
    if origin in (Union, UnionType):
        return st.one_of(*(values(branch, metadata) for branch in inner))
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is tuple and inner[1:] == (Ellipsis,):
        least = next((item.min_length for item in metadata if isinstance(item, MinLen)), 0)
        return st.lists(values(inner[0]), min_size=least, max_size=max(least, MOST)).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, inner))
    if isinstance(annotation, type) and issubclass(annotation, Node):
        return nodes(annotation)
    return _plain(annotation, metadata)


def _plain(annotation: Any, metadata: Sequence[Any]) -> st.SearchStrategy[Any]:
    low: Any = next(
        (getattr(item, "ge", getattr(item, "gt", None)) for item in metadata if isinstance(item, Ge | Gt)), None
    )
    high: Any = next(
        (getattr(item, "le", getattr(item, "lt", None)) for item in metadata if isinstance(item, Le | Lt)), None
    )
    if annotation in (NoneType, None):
        return st.none()
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(low, high)
    if annotation is float:
        above, below = (any(isinstance(item, kind) for item in metadata) for kind in (Gt, Lt))
        return st.floats(low, high, allow_nan=False, allow_infinity=False, exclude_min=above, exclude_max=below)
    if annotation is str:
        most = next((item.max_length for item in metadata if isinstance(item, MaxLen)), 30)
        return st.text(max_size=min(most, 30))
    message = f"no strategy for {annotation}"
    raise TypeError(message)


def _validated(kind: type[Node], arguments: dict[str, Any]) -> Node | None:
    """Return the node, or None where arguments that are valid one by one contradict each other."""
    try:
        return kind.model_validate(arguments)
    except ValidationError as failure:
        if all(error["type"] == "inconsistent" for error in failure.errors(include_url=False)):
            return None
        raise


def checks() -> st.SearchStrategy[dict[str, Any]]:
    """Generate the checks of a spec."""
    bound = st.fixed_dictionaries({"min": st.floats(-1e9, 1e9)}, optional={"max": st.floats(1e9, 1e12)})
    measures = st.dictionaries(st.sampled_from(MEASURES), bound, max_size=2)
    improves = st.one_of(st.sampled_from(MEASURES), st.lists(st.sampled_from(MEASURES), max_size=2).map(tuple))
    return st.builds(lambda bounds, improved: {**bounds, "improves": improved}, measures, improves)


def whole() -> st.SearchStrategy[Spec]:
    """Generate a spec of any components; it need not make sense."""
    fields = Spec.model_fields
    parts = {name: values(fields[name].annotation, fields[name].metadata) for name in (*REQUIRED, *OPTIONAL)}
    optional = {name: parts[name] for name in OPTIONAL}
    optional |= {"training": nodes(Training), "checks": checks(), "name": st.sampled_from(NAMES)}
    optional["metrics"] = st.lists(st.sampled_from(("accuracy", "r2", "log_loss")), max_size=2).map(tuple)
    required = {"dataset": st.just("iris"), **{name: parts[name] for name in REQUIRED}}
    return st.fixed_dictionaries(required, optional=optional).map(Spec.model_validate)
