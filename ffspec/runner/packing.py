"""Any state as JSON and tensors, and back to the last bit: what a checkpoint holds, without pickle."""

from __future__ import annotations

from math import isfinite
from typing import Any

from torch import Tensor

_MARK = "$"
"""The key of what JSON cannot say: a tensor, a tuple, a number that is not finite, a mapping with any keys."""


def pack(value: Any, tensors: dict[str, Tensor], name: str = "state") -> Any:
    """Return a value as JSON holds it; its tensors are copied into `tensors` under names of their own.

    Raises:
        TypeError: It holds something else than numbers, texts, lists, tuples, mappings and tensors.
    """
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {_MARK: "tensor", "name": name}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else {_MARK: "float", "text": str(value)}
    if isinstance(value, list | tuple):
        items = [pack(item, tensors, f"{name}.{index}") for index, item in enumerate(value)]
        return items if isinstance(value, list) else {_MARK: "tuple", "items": items}
    if isinstance(value, dict):
        pairs = [[pack(key, tensors), pack(item, tensors, f"{name}.{key}")] for key, item in value.items()]
        return {_MARK: "dict", "items": pairs}
    raise TypeError(f"a checkpoint cannot hold {type(value).__name__}, found at {name}")


def unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Return what `pack` was given.

    Raises:
        KeyError, TypeError, ValueError: It is not what `pack` returned.
    """
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    match value[_MARK]:
        case "tensor":
            return tensors[value["name"]]
        case "float":
            return float(value["text"])
        case "tuple":
            return tuple(unpack(item, tensors) for item in value["items"])
        case "dict":
            return {unpack(key, tensors): unpack(item, tensors) for key, item in value["items"]}
    raise ValueError(f"no part of a checkpoint: {value[_MARK]!r}")
