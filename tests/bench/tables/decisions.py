"""What each part of the tabular recipe is worth, on the tables it was decided on.

    python -m tests.bench.tables.decisions
    python -m tests.bench.tables.decisions --tables boston friedman --splits 2

Every line is the recipe with one part left out or changed. Each network is judged on a fifth of its table's rows, drawn
anew for each split; what chooses the epoch is a fifth of the rest. Printed are the log-loss, or RMSE, over that of the
recipe on the same rows: the geometric mean over tables and splits, with its standard error, and the same of CPU time.
None of these tables is among those the recipes are reported on.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import yaml
from rich.console import Console
from rich.table import Table

import ffspec
from ffspec import api
from tests.bench.measure import machine
from tests.bench.tables.development import TABLES

Tree = dict[str, Any]


def inside(layers: list[Any], name: str) -> Iterator[tuple[list[Any], int]]:
    """Yield the place of each layer of a name: the list it is in, and its index."""
    for index, layer in enumerate(layers):
        found, arguments = (layer, None) if isinstance(layer, str) else next(iter(layer.items()))
        if found == name:
            yield layers, index
        inner = arguments.get("layers", []) if isinstance(arguments, dict) else arguments
        yield from inside(inner, name) if isinstance(inner, list) else ()


def without(name: str) -> Callable[[Tree], None]:
    """Leave a layer out, wherever it stands; of a block only the block itself."""

    def change(tree: Tree) -> None:
        for layers, index in [*inside(tree["layers"], name)][::-1]:
            arguments = layers[index][name] if isinstance(layers[index], dict) else None
            kept = arguments.get("layers", []) if isinstance(arguments, dict) else []
            layers[index : index + 1] = kept

    return change


def setting(*path: str, value: Any) -> Callable[[Tree], None]:
    """Write another value."""

    def change(tree: Tree) -> None:
        *front, last = path
        for key in front:
            tree = tree[key]
        tree[last] = value

    return change


def scaled(path: str, factor: float) -> Callable[[Tree], None]:
    """Multiply a setting of the optimizer."""

    def change(tree: Tree) -> None:
        tree["optimizer"]["adamw"][path] *= factor

    return change


def argument(name: str, key: str, value: Any) -> Callable[[Tree], None]:
    """Write another argument of a layer, wherever it stands."""

    def change(tree: Tree) -> None:
        for layers, index in inside(tree["layers"], name):
            layers[index][name] = {**layers[index][name], key: value}

    return change


def unchanged(tree: Tree) -> None:
    """Change nothing."""


def no_scale(tree: Tree) -> None:
    """Leave the factors of the features out, and the group of parameters that names them."""
    without("scale")(tree)
    groups = tree["optimizer"]["adamw"]["groups"]
    groups[:] = [group for group in groups if group.get("layers") != "scale"]


def narrow(tree: Tree) -> None:
    """Halve the hidden layers."""
    for layers, index in inside(tree["layers"], "linear"):
        if layers[index]["linear"].get("out_features") == 128:
            layers[index]["linear"]["out_features"] = 64


def plain_labels(tree: Tree) -> None:
    """Neither smooth labels nor fit a temperature."""
    if isinstance(tree["loss"], dict):
        tree["loss"] = "cross_entropy"
    without("temperature")(tree)


CHANGES: dict[str, Callable[[Tree], None]] = {
    "the recipe": unchanged,
    "no refit": setting("training", "refit", value=False),
    "one member": without("ensemble"),
    "8 members": argument("ensemble", "members", 8),
    "no ridge": without("residual"),
    "no piecewise_linear": without("piecewise_linear"),
    "no scale": no_scale,
    "one hidden layer less": lambda tree: argument("repeat", "times", 2 if "temperature" in str(tree) else 1)(tree),
    "64 wide": narrow,
    "no dropout": without("dropout"),
    "no moving average": setting("training", "ema", value=None),
    "neither smoothing nor temperature": plain_labels,
    "no smooth_clip": setting("dataset", "prepare", "smooth_clip", value=None),
    "half the lr": scaled("lr", 0.5),
    "twice the lr": scaled("lr", 2.0),
    "no weight_decay": scaled("weight_decay", 0.0),
    "5 x weight_decay": scaled("weight_decay", 5.0),
    "flat_cos": setting("scheduler", value="flat_cos"),
}


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES), metavar="TABLE")
    parser.add_argument("--changes", nargs="+", default=list(CHANGES), choices=list(CHANGES), metavar="CHANGE")
    parser.add_argument("--splits", type=int, default=3, help="divisions of each table (3)")
    parser.add_argument("--epochs", type=int, default=256, help="epochs at most (256)")
    given = parser.parse_args()
    console = Console(width=120)
    console.print(machine())
    names = list(dict.fromkeys(["the recipe", *given.changes]))
    found: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    with TemporaryDirectory() as folder:
        for name in given.tables:
            for split in range(given.splits):
                spec = resolved(name, split, given.epochs, Path(folder) / "rows.parquet")
                kind = "classes" if "accuracy" in spec.get("metrics", ()) else "values"
                if not found:
                    one(spec, CHANGES["the recipe"])  # what is imported then is no part of the time
                own = one(spec, CHANGES["the recipe"])
                for change in names:
                    figure, seconds = own if change == "the recipe" else one(spec, CHANGES[change])
                    found[kind][change].append((np.log(figure / own[0]), np.log(seconds / own[1])))
    for kind, changes in found.items():
        show(console, kind, changes)


def resolved(name: str, split: int, epochs: int, file: Path) -> Tree:
    """Divide a table, and return the recipe's spec for it, written out."""
    frame = TABLES[name]()
    random = np.random.default_rng(split)
    words = np.full(frame.height, "train", dtype=object)
    order = random.permutation(frame.height)
    tested, chosen = frame.height // 5, frame.height * 4 // 25
    words[order[:tested]], words[order[tested : tested + chosen]] = "test", "validation"
    frame.with_columns(split=pl.Series(words.tolist())).write_parquet(file)
    classes = frame.schema["target"] == pl.String
    task = "classification" if classes else "regression"
    text = (
        f"recipe: tabular\ndataset: {{parquet: {{path: {file}, target: target, split_column: split, task: {task}}}}}\n"
    )
    made: Tree = yaml.safe_load(api.dump_resolved(ffspec.load(text, overrides=[f"training.epochs={epochs}"])))
    made["dataset"]["parquet"]["path"] = str(file)
    for layers, index in inside(made["layers"], "linear"):
        layers[index]["linear"].pop("in_features", None)  # a change of layers changes it
    return made


def one(spec: Tree, change: Callable[[Tree], None]) -> tuple[float, float]:
    """Train the recipe with a change, and return log-loss or RMSE on the test rows, and the CPU seconds."""
    tree = yaml.safe_load(yaml.safe_dump(spec))
    change(tree)
    begun = time.process_time()
    result = ffspec.run(yaml.safe_dump(tree, sort_keys=False), allow_outside=True)
    seconds = time.process_time() - begun
    measures = result.after["test"]
    return measures.get("log_loss", measures.get("rmse", np.nan)), seconds


def show(console: Console, kind: str, changes: dict[str, list[tuple[float, float]]]) -> None:
    """Print one line for each change."""
    table = Table(title=f"{'log-loss' if kind == 'classes' else 'RMSE'} and CPU time over those of the recipe")
    for head in ("change", "error", "±", "time"):
        table.add_column(head, justify="left" if head == "change" else "right")
    for change, pairs in changes.items():
        errors = [error for error, _ in pairs]
        spread = stdev(errors) / len(errors) ** 0.5 if len(errors) > 1 else 0.0
        table.add_row(
            change,
            f"{100 * (np.exp(mean(errors)) - 1):+.1f} %",
            f"{100 * spread:.1f}",
            f"{np.exp(mean(seconds for _, seconds in pairs)):.2f}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
