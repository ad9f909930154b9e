"""The grammar every part of a spec shares: frozen nodes, and components written as a name or a one-key mapping."""

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from typing import Annotated, Any, ClassVar, NoReturn, TypeAlias, TypeVar, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

Plain: TypeAlias = "bool | int | float | str | tuple[Plain, ...] | dict[str, Plain] | None"
"""What YAML can say: the only kinds of value a spec is read from and dumped to (sequences are tuples)."""


_KIND_ERRORS = frozenset({"literal_error", "component_form", "unknown_component", "either", "int_from_float"})
_KNOWN_ERRORS = frozenset(get_args(core_schema.ErrorType))

T = TypeVar("T")
Several = Annotated[tuple[T, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)]
"""A YAML sequence: kept as a tuple, and given as a list or a tuple from Python."""


class Node(BaseModel):
    """A mapping of a spec: frozen, strict, closed, and without non-finite numbers.

    Validators are built on first use (`defer_build`): a spec names ten components of a hundred,
    and building the others would cost more than reading the file.
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, defer_build=True, protected_namespaces=()
    )

    def written(self, arguments: dict[str, Plain]) -> Plain:
        """Return the notation of this node, given its arguments in theirs: a mapping, unless a node has its own."""
        return dict(arguments)


class Component(Node):
    """A named part of a spec, written `name`, `{name: {argument: value}}`, or `{name: value}` for the sole argument."""

    name: ClassVar[str]
    """The name in the spec: PyTorch's or scikit-learn's, in snake case."""

    sole: ClassVar[str | None] = None
    """The argument that may stand alone."""


class Family:
    """A closed set of components that may stand at one place, as a pydantic annotation.

    `members` names a visible tuple as "module:ATTRIBUTE"; it is imported when a spec first needs the family.

        Annotated[Layer, Family("layer", "ffspec.spec.layers:LAYERS")]
    """

    def __init__(self, kind: str, members: str) -> None:
        self.kind = kind
        self._members = members

    @cached_property
    def members(self) -> tuple[type[Component], ...]:
        """The component classes, in the order the documentation shows them."""
        module, attribute = self._members.split(":")
        return cast("tuple[type[Component], ...]", getattr(import_module(module), attribute))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that may be written here."""
        return tuple(self._by_name)

    @cached_property
    def _by_name(self) -> dict[str, type[Component]]:
        return {member.name: member for member in self.members}

    def find(self, name: str) -> type[Component] | None:
        """Return the component class called `name`, or None."""
        return self._by_name.get(name)

    def parse(self, value: Any) -> Component:
        """Turn the component notation into a component.

        Raises:
            ValidationError, PydanticCustomError: with locations that are paths of the document, the component's
                name included (`("linear", "out_features")`).
        """
        if isinstance(value, Component) and isinstance(value, self.members):
            return value
        if isinstance(value, str):
            return self._construct(value, {}, named_only=True)
        if isinstance(value, Mapping) and len(value) == 1:
            [(name, arguments)] = value.items()
            return self._construct(name, arguments)
        found = f"a mapping with {len(value)} keys" if isinstance(value, Mapping) else describe(value)
        raise PydanticCustomError(
            "component_form",
            "must be a {kind}: its name, or one key with its arguments; found {found}",
            {"kind": self.kind, "found": found, "choices": self.names},
        )

    def _construct(self, name: str, arguments: Any, *, named_only: bool = False) -> Component:
        prefix: tuple[str, ...] = () if named_only else (name,)
        member = self.find(name)
        if member is None:
            problem = PydanticCustomError(
                "unknown_component",
                "unknown {kind} '{found}'",
                {"kind": self.kind, "found": str(name), "choices": self.names},
            )
            raise _failure(self.kind, [{"type": problem, "loc": prefix, "input": name}])
        try:
            return member.model_validate(_spelled_out(member, arguments))
        except ValidationError as failure:
            details = [{**item, "loc": (*prefix, *item["loc"])} for item in details_of(failure)]
            raise _failure(self.kind, cast("list[InitErrorDetails]", details)) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate with `parse`; the members' own schemas are built only when they are named."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Name the family; `ffspec.schema` writes its definition once, and refers to it here."""
        return {"family": self.kind}


class Either:
    """A union reported as one fault, not as one per alternative.

        Annotated[int | Literal["all"], Either("a whole number or 'all'")]

    The alternative whose kind of value was written reports its own errors; if none fits, one error says `expected`.
    """

    def __init__(self, expected: str) -> None:
        self.expected = expected

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Wrap the union's validator."""
        return core_schema.no_info_wrap_validator_function(self._validate, handler(source))

    def _validate(self, value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
        try:
            return inner(value)
        except ValidationError as failure:
            branches: dict[str | int, list[InitErrorDetails]] = {}
            for details in details_of(failure):
                tag, *rest = details["loc"]
                branches.setdefault(tag, []).append({**details, "loc": tuple(rest)})
            for errors in branches.values():
                if not any(error["loc"] == () and _wrong_kind(error["type"]) for error in errors):
                    raise _failure(self.expected, errors) from None
            raise PydanticCustomError(
                "either", "must be {expected}, found {found}", {"expected": self.expected, "found": describe(value)}
            ) from None


def describe(value: Any) -> str:
    """Say what a plain value is, in the words of YAML and short enough for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def refuse(message: str, *loc: str | int, value: Any = None) -> NoReturn:
    """Report arguments that contradict each other, at the place `loc` below the node being validated.

    Raises:
        ValidationError: always.
    """
    error = PydanticCustomError("inconsistent", "{message}", {"message": message})
    raise _failure("spec", [{"type": error, "loc": loc, "input": value}])


def require(holds: object, message: str, *loc: str | int) -> None:
    """Report `message` at `loc` unless it holds.

    Raises:
        ValidationError: it does not hold.
    """
    if not holds:
        refuse(message, *loc)


def ordered(low: float, high: float, names: str) -> None:
    """Refuse an empty interval."""
    require(low < high, f"{names} must be an interval, found {low} and {high}")


def to_plain(value: Any, *, full: bool = False) -> Plain:
    """Write a node, or a value inside one, in the notation it is read from.

    Arguments that equal their default are left out, unless `full`. Reading the result gives an equal node.
    """
    if isinstance(value, Component):
        arguments = _arguments(value, full=full)
        if not arguments:
            return value.name
        # A mapping cannot stand alone: it would be read as the arguments.
        if value.sole is not None and list(arguments) == [value.sole] and not isinstance(arguments[value.sole], dict):
            return {value.name: arguments[value.sole]}
        return {value.name: arguments}
    if isinstance(value, Node):
        return value.written(_arguments(value, full=full))
    if isinstance(value, Mapping):
        return {key: to_plain(item, full=full) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(to_plain(item, full=full) for item in value)
    return cast("Plain", value)


def _arguments(node: Node, *, full: bool) -> dict[str, Plain]:
    arguments = {}
    for name, field in type(node).model_fields.items():
        value = getattr(node, name)
        default = field.get_default(call_default_factory=True)
        # A None that is the default says "left out", and is never written.
        if not field.is_required() and value == default and (not full or value is None):
            continue
        arguments[name] = to_plain(value, full=full)
    for name, value in (node.model_extra or {}).items():
        arguments[name] = to_plain(value, full=full)
    return arguments


def _spelled_out(member: type[Component], arguments: Any) -> Any:
    """Give the sole argument its name; `name:` with nothing behind it stands for no arguments."""
    if isinstance(arguments, member | Mapping):
        return arguments
    if arguments is None:
        return {}
    if member.sole is not None:
        return {member.sole: arguments}
    problem = PydanticCustomError(
        "component_arguments",
        "the arguments of '{name}' must be a mapping, found {found}",
        {"name": member.name, "found": describe(arguments), "choices": tuple(member.model_fields)},
    )
    raise _failure(member.name, [{"type": problem, "loc": (), "input": arguments}])


def _wrong_kind(error: str | PydanticCustomError) -> bool:
    """Whether an error says that another kind of value was expected altogether."""
    name = error if isinstance(error, str) else error.type
    return name.endswith("_type") or name in _KIND_ERRORS


def details_of(failure: ValidationError) -> list[InitErrorDetails]:
    """Return a failure's errors in the form from which a failure can be made again."""
    details: list[InitErrorDetails] = []
    for error in failure.errors(include_url=False):
        context = error.get("ctx", {})
        kind: str | PydanticCustomError = error["type"]
        if kind not in _KNOWN_ERRORS:
            kind = PydanticCustomError(cast("Any", error["type"]), cast("Any", error["msg"]), context)
        details.append({"type": kind, "loc": error["loc"], "input": error["input"], "ctx": context})
    return details


def _failure(title: str, details: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data(title, details)
