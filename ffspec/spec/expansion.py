"""Expanding a recipe: a spec's values with the keys filled that its author left out.

A recipe is read before anything else and is gone afterwards: what it leaves is a spec like any other, which says
everything itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from ffspec.spec.dataset import Dataset, Split
from ffspec.spec.facts import TargetKind
from ffspec.spec.losses import LOSSES
from ffspec.spec.recipes import RECIPES, Case, Values, plain
from ffspec.spec.sources import Source
from ffspec.spec.tables import Table


def expand(value: Any) -> Any:
    """Return a spec's values with the keys its recipe fills, and without the recipe.

    What the spec says stays. A mapping it has is filled too where it names the same component; a list is taken as it
    stands, and so is a component without arguments. Where it cannot be known what the target is, the recipe stays, so
    that validation refuses it.
    """
    name = value.get("recipe") if isinstance(value, Mapping) else None
    if isinstance(name, Undecided):
        return value
    if name is None:
        return {key: item for key, item in value.items() if key != "recipe"} if isinstance(value, Mapping) else value
    made = RECIPES.get(name) if isinstance(name, str) else None
    given = {**value, "dataset": _with_validation(value.get("dataset"))}
    case = _case(given)
    # A recipe with another name or an unknown target is reported as that, not as a dozen missing keys.
    others = (made or plain)(case or Case(task="classes", validation=False, loss=None))
    filled = fill(given, _without_idle_groups(others, given.get("layers")))
    if made is not None and case is not None:
        return {key: item for key, item in filled.items() if key != "recipe"}
    return filled if made is None else {**filled, "recipe": Undecided(name)}


class Undecided(str):
    """The name of a recipe that could not be expanded, for want of knowing what the target is."""

    __slots__ = ()


def refuse_undecided(name: Any) -> None:
    """Refuse a recipe that could not be expanded.

    Raises:
        PydanticCustomError: It is one.
    """
    if isinstance(name, Undecided):
        message = (
            "must know whether the target is classes or numbers: write 'task: classification' or 'task: regression' "
            "in the table, or a loss"
        )
        raise PydanticCustomError("inconsistent", "{message}", {"message": message})


def fill(value: Mapping[str, Any], others: Mapping[str, Any]) -> Values:
    """Return a mapping with the keys of `others` it lacks; what is a mapping in both is filled likewise."""
    filled = {**others, **value}
    for key, item in others.items():
        mine = value.get(key)
        if isinstance(mine, Mapping) and isinstance(item, Mapping) and _same(key, mine, item):
            filled[key] = fill(mine, item)
    return filled


COMPONENTS = frozenset({"loss", "optimizer", "scheduler"})
"""Keys whose mapping names one component: another one is not filled with this one's arguments."""


def _same(key: str, mine: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return key not in COMPONENTS or list(mine) == list(other)


VALIDATION = 0.2
"""The share of the rows to choose the epoch by: what is trained again learns from them too."""


def _with_validation(value: Any) -> Any:
    """Return a dataset with a validation split, where its author has left that open."""
    dataset = _read(value)
    if dataset is None or not _open(dataset):
        return value
    known = dict(dataset.split) if isinstance(dataset.split, Split) else {"test": 0.2}
    if isinstance(dataset.source, Table):
        known = {name: part for name, part in known.items() if name not in dataset.source.files}
    # What is written is filled, not replaced; the defaults of the keys left out stay theirs.
    split = {**{name: part for name, part in known.items() if part is not None}, "validation": VALIDATION}
    defaults = dict(Split.model_construct())
    split = {name: part for name, part in split.items() if part != defaults.get(name)}
    if isinstance(value, Dataset):
        return value.model_copy(update={"split": Split.model_validate(split)})
    return {**({value: {}} if isinstance(value, str) else value), "split": split}


def _open(dataset: Dataset) -> bool:
    """Whether a validation split may be added: nothing says otherwise, and there are rows to take it from."""
    source, split = dataset.source, dataset.split
    if source.sizes() is not None or split == "none":
        return False
    if isinstance(source, Table) and (source.split_column is not None or source.validation is not None):
        return False
    return split is None or (split.train is None and split.validation is None)


def _read(value: Any) -> Dataset | None:
    """Return a dataset without its preparation, which may be right only once it is filled."""
    bare = {key: item for key, item in value.items() if key != "prepare"} if isinstance(value, Mapping) else value
    try:
        return Dataset.model_validate(bare)
    except ValidationError:
        return None


def _case(value: Mapping[str, Any]) -> Case | None:
    """Return what a recipe looks at; None where the kind of target is not known."""
    loss = value.get("loss")
    name = next(iter(loss), None) if isinstance(loss, Mapping) else loss
    name = getattr(name, "name", name)
    kind = next((member for member in LOSSES if member.name == name), None)
    dataset = _read(value.get("dataset"))
    if dataset is None:
        return Case(task="classes", validation=False, loss=None)
    wants: TargetKind | None = None if kind is None else "values" if kind.target == "value" else "classes"
    task = wants or dataset.facts().target
    return None if task is None else Case(task=task, validation=_validates(dataset), loss=name if kind else None)


def _validates(dataset: Dataset) -> bool:
    source: Source = dataset.source
    if isinstance(source, Table) and source.split_column is not None:
        return True  # the column may say so; if it does not, what needs the split says what is missing
    rows = dataset.facts().rows
    return "validation" in rows or (isinstance(dataset.split, Split) and dataset.split.validation is not None)


def _without_idle_groups(recipe: Values, layers: Any) -> Values:
    """Leave out a recipe's groups of parameters for layers that the network, written by its author, does not have."""
    if layers is None:
        return recipe
    there = {"", *_names(layers)}
    ((name, arguments),) = recipe["optimizer"].items()
    groups = tuple(group for group in arguments.get("groups", ()) if group.get("layers", "") in there)
    kept = {**arguments, "groups": groups} if groups else {k: v for k, v in arguments.items() if k != "groups"}
    return {**recipe, "optimizer": {name: kept}}


def _names(layers: Any) -> Iterator[str]:
    """Yield the names of layers, those inside blocks too."""
    for layer in layers if isinstance(layers, list | tuple) else ():
        name = next(iter(layer), None) if isinstance(layer, Mapping) else getattr(layer, "name", layer)
        if isinstance(name, str):
            yield name
        arguments = layer.get(name) if isinstance(layer, Mapping) else getattr(layer, "layers", None)
        yield from _names(arguments.get("layers") if isinstance(arguments, Mapping) else arguments)
