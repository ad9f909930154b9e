"""Generates specs that together use every component and every option, each with small data of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import polars as pl

from ffspec.diagnostics import DivergedError, SpecError
from ffspec.spec.inits import VECTOR_INITS
from ffspec.spec.metrics import METRICS
from tests.eject.agreement import Case, make
from tests.snippets import OPTIONAL
from tests.test_components import FRONTS, INITS, LAYERS, OPTIMIZERS, SCHEDULERS, UNGROUPED, flow, name_of

SCALES = ("none", "standardize", "minmax", "robust", "quantile")
MISSING = ("median", "mean", "most_frequent")
VECTORS = tuple(text for text in INITS if name_of(text) in {init.name for init in VECTOR_INITS})
PAIRS = (
    "blobs: {n_samples: {train: 24, validation: 8, test: 8}, centers: 3, labels: [0, 1, 1]}",
    "blobs: {n_samples: 40, centers: [[0, 0, 1], [2, 1, 0]], cluster_std: [0.5, 1]}",
    "moons: {n_samples: 41, noise: 0.1}",
    "circles: {n_samples: 40, noise: 0.1, factor: 0.5, shuffle: false}",
    "classification: {n_samples: 50, n_features: 6, weights: [0.3], flip_y: 0.1, shift: random}",
    "xor: {n_samples: 40, noise: 0.2}",
    "spirals: {n_samples: 41, noise: 0.1, turns: 1}",
    "breast_cancer: {}",
)
CLASSES = (
    "blobs: {n_samples: {train: 30, validation: 10, test: 10}, centers: 4, n_features: 3, center_box: [-5, 5]}",
    "blobs: {n_samples: 40, centers: 4, labels: [7, 3, 3, 9], random_state: 3}",
    "gaussian_quantiles: {n_samples: 60, n_features: 3, mean: [1, 2, 3], cov: 2}",
    (
        "classification: {n_samples: 60, n_classes: 3, n_informative: 3, weights: [0.5, 0.2, 0.3], n_features: 5,"
        " n_redundant: 0, scale: [1, 2, 3, 4, 5]}"
    ),
    "spirals: {n_samples: 45, n_classes: 3}",
    "iris: {}",
    "wine: {}",
    "digits: 3",
)
VALUES = (
    "regression: {n_samples: {train: 30, validation: 10, test: 10}, n_features: 4, n_informative: 2, noise: 1}",
    "regression: {n_samples: 50, n_features: 4, n_targets: 2, bias: 3, effective_rank: 2, noise: 0.1}",
    "friedman1: {n_samples: 50, noise: 0.5}",
    "friedman2: {n_samples: 50}",
    "friedman3: {n_samples: 50, noise: 0.1}",
    "s_curve: {n_samples: 50, noise: 0.1}",
    "swiss_roll: {n_samples: 50, hole: true}",
    "diabetes: {}",
    "inline: {x: [[1, 2], [2, 0], [3, 1], [4, 4], [5, 2], [6.5, 1], [7, 3]], y: [1.5, 2, 3, 4, 5, 6, 7]}",
    "inline: {x: [1, 2, 3, 4, 5, 6, 7], y: [[1, 0], [2, 1], [3, 0], [4, 1], [5, 5], [6, 2.5], [7, 3]]}",
    "moons: {n_samples: 40, noise: 0.1}",
)
COUNTS = (
    "inline: {x: [0, 1, 2, 3, 4, 5, 6, 7], y: [0, 1, 1, 2, 3, 5, 4, 6]}",
    "csv: {path: rows.csv, target: count, drop: [kind, two, word, part]}",
)
TABLES = {
    "pair": ("csv: {path: rows.csv, target: two, drop: [kind, count, value, part]}",
             "parquet: {path: rows.parquet, target: two, columns: [a, b, word, flag]}",
             "csv: {path: rows.csv, target: two, columns: [a, b, code], categorical: [code], split_column: part}"),
    "classes": ("csv: {path: rows.csv, target: kind, drop: [two, part], missing_target: drop}",
                "parquet: {path: rows.parquet, target: kind, drop: [two], split_column: part}",
                "csv: {path: rows.csv, target: kind, columns: [a, flag, code], test: more.csv, null_values: [NA]}"),
    "values": ("csv: {path: rows.csv, target: value, columns: [a, b, word]}",
               "csv: {path: rows.csv, target: [value, count], columns: [a, b]}",
               "parquet: {path: rows.parquet, target: value, columns: [a, b, flag], test: more.parquet}"),
}  # fmt: skip
SPLITS = (
    "none",
    "{test: 0.25}",
    "{train: 0.5, validation: 0.2, test: 0.2}",
    "{validation: 0.2, test: 0.2, stratify: false, seed: 5}",
    "{test: 3, shuffle: false}",
    "{train: 0.6}",
)
LOSSES: tuple[tuple[str, str, str], ...] = (
    ("pair", "bce", "sigmoid"),
    ("classes", "bce", "sigmoid"),
    ("pair", "bce_with_logits: {pos_weight: balanced}", ""),
    ("classes", "bce_with_logits: {pos_weight: balanced}", ""),
    ("pair", "bce_with_logits: {pos_weight: 2}", ""),
    ("classes", "cross_entropy: {weight: balanced, label_smoothing: 0.1}", ""),
    ("pair", "cross_entropy", ""),
    ("pair", "nll: {weight: [1, 2]}", "log_softmax"),
    ("classes", "nll", "log_softmax"),
    ("values", "mse", ""),
    ("values", "mse", "target_scale"),
    ("values", "huber: 0.5", "target_scale: false"),
    ("pair", "mse", ""),
    ("values", "l1", ""),
    ("values", "smooth_l1: 0.5", ""),
    ("values", "huber: 0.5", ""),
    ("counts", "poisson_nll: {full: true}", ""),
    ("pair", "soft_margin", ""),
    ("classes", "soft_margin", ""),
    ("pair", "hinge_embedding: 0.5", "softplus"),
    ("classes", "multi_margin: {p: 2, margin: 0.5}", ""),
    ("pair", "multi_label_soft_margin", ""),
    ("classes", "multi_label_soft_margin", ""),
    ("pair", "perceptron", ""),
)


@dataclass(frozen=True, slots=True)
class Generated:
    """A spec as text, and what it is a case of."""

    text: str
    parts: frozenset[str]


def write_tables(folder: Path, seed: int) -> None:
    """Write the files the tables of specs name, with holes, blanks and texts."""
    random = Random(seed)  # noqa: S311 - to try things, not to hide them
    for name, count in (("rows", 60), ("more", 15)):
        rows = [_row(random) for _ in range(count)]
        frame = pl.DataFrame(rows)
        frame.with_columns(pl.col("word").cast(pl.Categorical)).write_parquet(folder / f"{name}.parquet")
        lines = [",".join(frame.columns), *(",".join(_cell(value, random) for value in row.values()) for row in rows)]
        lines.insert(len(lines) // 2, "," * (len(frame.columns) - 1))
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _row(random: Random) -> dict[str, object]:
    kind = random.choice(("red", "green", "blue"))
    a = random.gauss(0, 1)
    return {
        "a": None if random.random() < 0.1 else round(a, 3),
        "b": random.randint(-5, 5),
        "word": None if random.random() < 0.1 else random.choice(("one", "Two", "thrée")),
        "flag": random.random() < 0.5,
        "code": random.choice((1, 2, 30)),
        "kind": kind,
        "two": random.choice(("yes", "no")),
        "count": random.randint(0, 4),
        "value": round(a * 2 + random.gauss(0, 0.1), 4),
        "part": random.choice(("train", "train", "train", "validation", "test")),
    }


def _cell(value: object, random: Random) -> str:
    text = "" if value is None else str(value)
    return f" {text} " if random.random() < 0.05 else text


def generate(count: int, seed: int = 0) -> Iterator[Generated]:
    """Yield specs; each list above is gone through in turn, and what is combined is drawn."""
    random = Random(seed)  # noqa: S311 - as above
    for index in range(count):
        yield _generate(index, random)


def run_generated(count: int, seed: int, root: Path, refused: Counter[str]) -> Iterator[tuple[Generated, Case]]:
    """Run generated specs in folders below `root`, and write their scripts; of the others, count the reasons."""
    for index, one in enumerate(generate(10 * count, seed)):
        folder = root / f"generated-{index:03}"
        folder.mkdir()
        write_tables(folder, seed + index)
        (folder / "spec.yaml").write_text(one.text, encoding="utf-8")
        try:
            case = make(folder, folder / "spec.yaml", allow=OPTIONAL)
        except SpecError as error:
            refused.update({item.code for item in error.diagnostics})
            continue
        except (DivergedError, ArithmeticError, RuntimeError) as error:  # some in PyTorch itself: a line search, say
            refused[str(error).splitlines()[-1]] += 1
            continue
        yield one, case
        count -= 1
        if not count:
            return


def _generate(index: int, random: Random) -> Generated:
    kind, loss, tail = LOSSES[index % len(LOSSES)]
    scheduler = _scheduler(index, random)
    plain = index % 2 or "eta_min" in scheduler  # which is one for all groups
    optimizer = (UNGROUPED if plain else OPTIMIZERS)[index % len(OPTIMIZERS)]
    layers = [LAYERS[(3 * index + step) % len(LAYERS)][0] for step in range(3)]
    dataset, parts = _dataset(kind, random)
    validated = "validation:" in dataset or "split_column" in dataset
    if validated and name_of(loss) in {"cross_entropy", "bce_with_logits", "multi_label_soft_margin"}:
        tail = "temperature"
    front = FRONTS[index // 3 % len(FRONTS)][0] if index % 3 == 0 else ""
    network, starts = _network(index, layers, tail, front)
    if index % 4 == 3 and optimizer.partition(":")[0] != "muon":
        network, starts = _ensemble(index, network), {*starts, "layer ensemble"}
    training, watched = _training(optimizer, random, validated=validated, refit=validated and index % 3 == 1)
    measured = _metrics(index, kind, loss)
    lines = [f"seed: {random.randint(0, 99)}", dataset, f"layers: {network}", f"loss: {flow(loss)}"]
    lines += [f"optimizer: {flow(optimizer)}", *([f"scheduler: {flow(scheduler)}"] if scheduler else []), training]
    lines.append(f"metrics: [{', '.join(measured)}]")
    named = {f"layer {name_of(text)}" for text in layers} | {f"metric {name}" for name in measured}
    named |= {f"layer {name_of(text)}" for text in (front, tail) if text}
    named |= {f"loss {name_of(loss)}", f"optimizer {name_of(optimizer)}", *starts, *parts, *watched}
    named |= {f"scheduler {name}" for name in re.findall(r"\b[a-z_]{4,}4?\b", scheduler)}
    return Generated("\n".join(lines) + "\n", frozenset(named))


def _metrics(index: int, kind: str, loss: str) -> list[str]:
    """Return three metrics in turn; squared errors of classes are judged as classes."""
    task = "values" if kind in {"values", "counts"} else "classes"
    if index % 7 == 0 and not (loss == "mse" and task == "classes"):
        return []
    names = [metric.name for metric in METRICS if metric.target == task]
    if kind == "values":
        names.remove("max_error")  # of one column only
    chosen = [names[(index + step) % len(names)] for step in range(3)]
    return [*dict.fromkeys(chosen)]


def _dataset(kind: str, random: Random) -> tuple[str, set[str]]:
    plain = {"pair": PAIRS, "classes": CLASSES, "values": VALUES, "counts": COUNTS}[kind]
    table = random.random() < 0.35 and kind in TABLES
    source = random.choice(TABLES[kind] if table else plain)
    options, told = [], {name_of(source)}
    fixed = "{train:" in source or "split_column" in source
    split = random.choice(SPLITS)
    if "test: more" in source:
        split = random.choice(("none", "{validation: 0.2}"))
    if not fixed and random.random() < 0.8:
        options.append(f"split: {split}")
        told.add(f"split {split}")
    scale = random.choice(SCALES)
    missing = f", missing: {random.choice(MISSING)}" if "rows." in source else ""
    if scale != "none" or missing:
        options.append(f"prepare: {{scale: {scale}{missing}}}")
    told |= {f"scale {scale}", missing.strip(", ") or "missing: error"}
    return f"dataset: {{{', '.join([source, *options])}}}", told


def _network(index: int, layers: list[str], tail: str, front: str) -> tuple[str, set[str]]:
    """Put a linear layer before every other, one of them with initialisers, which are named too."""
    first = INITS[index % len(INITS)]
    second = VECTORS[index % len(VECTORS)]
    place = index % 3
    parts, told = [], set()
    for position, layer in enumerate(layers):
        start = ""
        if position == place:
            start = f", init: {flow(first)}, bias_init: {flow(second)}"
            told = {f"initialiser {name_of(first)}", f"bias initialiser {name_of(second)}"}
        parts += [f"{{linear: {{out_features: 4{start}}}}}", flow(layer)]
    return (
        f"[{', '.join([*([flow(front)] if front else []), *parts, 'linear', *([flow(tail)] if tail else [])])}]",
        told,
    )


def _ensemble(index: int, network: str) -> str:
    """Make members of a network, behind which stays what is fitted for all."""
    share = ", share: hidden" if index % 8 == 3 else ""
    split = re.fullmatch(r"(.*?)((?:, (?:target_scale|\{target_scale.*|temperature))?)\]", network)
    assert split is not None
    inside, behind = split.groups()
    return f"[{{ensemble: {{members: {2 + index % 3}{share}, layers: {inside}]}}}}{behind}]"


def _training(optimizer: str, random: Random, *, validated: bool, refit: bool) -> tuple[str, set[str]]:
    precision = random.choice(("float32", "float32", "float64", "bf16"))
    size = random.choice(("all", "4", "7", "8", "1000"))
    options = [f"epochs: {random.randint(2, 5)}", f"batch_size: {size}", f"precision: {precision}"]
    told = {precision, f"batch_size {size}"}
    for option in ("shuffle: false", "drop_last: true", "clip_grad_norm: 0.5", "clip_grad_value: 0.1"):
        small = option.startswith("drop") and size != "4"  # where a batch is all rows, nothing is dropped
        if random.random() < 0.2 and not small and not (option.startswith("clip") and name_of(optimizer) == "lbfgs"):
            options.append(option)
            told.add(option)
    if random.random() < 0.3:
        monitor = "validation.loss" if validated else "train.loss"
        options.append(f"early_stopping: {{monitor: {monitor}, patience: {random.randint(0, 2)}, min_delta: 0.001}}")
        told.add("early_stopping")
    if refit:
        options.append("refit: true")
        told.add("refit")
    return f"training: {{{', '.join(options)}}}", told


def _scheduler(index: int, random: Random) -> str:
    kinds = (
        *SCHEDULERS,
        "",
        "cosine_annealing",
        "linear",
        "polynomial: {interval: step}",
        "one_cycle: 0.05",
        "flat_cos",
        "coslog4",
    )
    text = kinds[index % len(kinds)]
    if name_of(text) == "reduce_on_plateau":
        return "reduce_on_plateau: {factor: 0.5, patience: 0, cooldown: 1}"
    if name_of(text) not in {"", "warmup"} and random.random() < 0.3:
        interval = random.choice(("step", "epoch"))
        return f"warmup: {{total_iters: {random.randint(1, 3)}, interval: {interval}, then: {flow(text)}}}"
    if name_of(text) == "warmup" and random.random() < 0.5:
        return "warmup: {total_iters: 2, interval: step, then: {warmup: {total_iters: 1, then: {step: 1}}}}"
    return text
