"""A preparation as JSON: every number is read back to the last bit, and nothing else is read at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any, NoReturn

from ffspec.data.dates import PARTS
from ffspec.data.fitted import Category, Column, DatePart, Number, Order, Reading

VERSION = 1


def written(columns: Sequence[Column]) -> str:
    """Write fitted columns as JSON; what only some columns have is said of those alone."""
    value = {"version": VERSION, "columns": [_item(column) for column in columns]}
    return json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1) + "\n"


def read(text: str) -> tuple[Column, ...]:
    """Read what `written` wrote.

    Raises:
        ValueError: the text is not that.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        if value["version"] != VERSION:
            raise ValueError(f"unknown version {value['version']!r} of a preparation")
        return tuple(_column(item) for item in value["columns"])
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a preparation: {error!r}") from error


def _item(column: Column) -> dict[str, Any]:
    if isinstance(column, Category):
        item = {"name": column.name, "levels": list(column.levels), "missing": column.missing}
        return {**item, **({"coded": True} if column.coded else {})}
    item = {"name": column.name, "fill": column.fill, "center": column.center, "scale": column.scale}
    more: dict[str, Any] = {"quantiles": list(column.quantiles), "clip": column.clip, "indicator": column.indicator}
    if isinstance(column.reading, Order):
        more["order"] = list(column.reading.values)
    elif column.reading is not None:
        more["date"] = [column.reading.column, column.reading.part]
    return {**item, **{name: value for name, value in more.items() if value}}


def _column(item: dict[str, Any]) -> Column:
    if "levels" in item:
        return Category(
            str(item["name"]), tuple(map(str, item["levels"])), bool(item["missing"]), bool(item.get("coded", False))
        )
    fill, clip = item["fill"], item.get("clip")
    return Number(
        str(item["name"]),
        None if fill is None else _number(fill),
        _number(item["center"]),
        _number(item["scale"]),
        tuple(map(_number, item.get("quantiles", ()))),
        None if clip is None else _number(clip),
        bool(item.get("indicator", False)),
        _reading(item),
    )


def _reading(item: dict[str, Any]) -> Reading | None:
    if "order" in item:
        return Order(tuple(map(str, item["order"])))
    if "date" not in item:
        return None
    column, part = item["date"]
    if part not in PARTS:
        raise ValueError(f"not a preparation: {part!r:.40} is no part of a date")
    return DatePart(str(column), part)


def _number(value: Any) -> float:
    """Return a number; JSON has texts and booleans that Python would take for one, and literals beyond all numbers.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"not a preparation: {value!r:.40} is no finite number")
    return float(value)


def _refuse(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which JSON does not have and Python's reader takes.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"not a preparation: {name} is no finite number")
