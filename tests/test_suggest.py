"""Suggestions: spellings, other libraries' words, and slips of the keyboard."""

from __future__ import annotations

import random

import pytest

from ffspec.spec import grammar
from ffspec.spec.base import Family
from ffspec.spec.root import Spec
from ffspec.suggest import ALIASES, SYNONYMS, distance, suggest, surely


def family(section: str) -> Family:
    kinds = grammar.at(("layers", 0)) if section == "layers" else grammar.at((section,))
    found = grammar.family_of(kinds)
    assert found is not None
    return found


FAMILIES = ("layers", "loss", "optimizer", "scheduler", "dataset")
MAPPINGS = {
    "spec": tuple(Spec.model_fields),
    "training": grammar.keys_of(grammar.at(("training",))),
    **{section: family(section).names for section in FAMILIES},
    **{
        f"{section}.{member.name}": tuple(member.model_fields)
        for section in FAMILIES
        for member in family(section).members
        if member.model_fields
    },
}
"""The names that are valid at each place."""


@pytest.mark.parametrize(
    ("section", "found", "expected"),
    [
        ("layers", "ReLU", "relu"),
        ("layers", "LeakyReLU", "leaky_relu"),
        ("layers", "leakyrelu", "leaky_relu"),
        ("layers", "BatchNorm1d", "batch_norm"),
        ("layers", "Dense", "linear"),
        ("layers", "GELU", "gelu"),
        ("layers", "RMSNorm", "rms_norm"),
        ("layers", "Dropout", "dropout"),
        ("layers", "swish", "silu"),
        ("loss", "CrossEntropyLoss", "cross_entropy"),
        ("loss", "crossentropy", "cross_entropy"),
        ("loss", "BCELoss", "bce"),
        ("loss", "BCEWithLogitsLoss", "bce_with_logits"),
        ("loss", "MSELoss", "mse"),
        ("loss", "mean_squared_error", "mse"),
        ("loss", "SmoothL1Loss", "smooth_l1"),
        ("loss", "binary_crossentropy", "bce"),
        ("optimizer", "Adam", "adam"),
        ("optimizer", "SGD", "sgd"),
        ("optimizer", "AdamW", "adamw"),
        ("optimizer", "LBFGS", "lbfgs"),
        ("scheduler", "StepLR", "step"),
        ("scheduler", "CosineAnnealingLR", "cosine_annealing"),
        ("scheduler", "cosine", "cosine_annealing"),
        ("scheduler", "ReduceLROnPlateau", "reduce_on_plateau"),
        ("dataset", "make_blobs", "blobs"),
        ("layers", "conv2d", None),
        ("loss", "nonsense", None),
        ("layers", "", None),
        ("layers", "x" * 1000, None),
    ],
)
def test_names(section: str, found: str, expected: str | None) -> None:
    assert suggest(found, family(section).names) == expected


@pytest.mark.parametrize(
    ("place", "found", "expected"),
    [
        ("layers.linear", "units", "out_features"),
        ("layers.linear", "hidden", "out_features"),
        ("layers.linear", "size", "out_features"),
        ("layers.linear", "use_bias", "bias"),
        ("layers.dropout", "prob", "p"),
        ("layers.dropout", "rate", "p"),
        ("layers.leaky_relu", "alpha", "negative_slope"),
        ("optimizer.sgd", "learning_rate", "lr"),
        ("optimizer.sgd", "learningRate", "lr"),
        ("optimizer.adam", "epsilon", "eps"),
        ("spec", "data", "dataset"),
        ("spec", "optimiser", "optimizer"),
        ("spec", "criterion", "loss"),
        ("spec", "sched", "scheduler"),
        ("training", "num_epochs", "epochs"),
        ("training", "batchsize", "batch_size"),
        ("training", "dtype", "precision"),
    ],
)
def test_keys(place: str, found: str, expected: str) -> None:
    assert suggest(found, MAPPINGS[place]) == expected


def misspellings(name: str, chance: random.Random) -> list[str]:
    """Return some of a name's one-letter slips: swaps, omissions, wrong and superfluous letters."""
    slips = {name[:i] + name[i + 1 :] for i in range(len(name))}
    slips |= {name[:i] + name[i + 1] + name[i] + name[i + 2 :] for i in range(len(name) - 1)}
    slips |= {name[:i] + chance.choice("abcdefghijklmnopqrstuvwxyz") + name[i + 1 :] for i in range(len(name))}
    slips |= {name[:i] + chance.choice("abcdefghijklmnopqrstuvwxyz") + name[i:] for i in range(len(name) + 1)}
    return chance.sample(sorted(slips - {""}), min(8, len(slips - {""})))


def test_one_slip_finds_the_name() -> None:
    chance = random.Random(0)  # noqa: S311 - nothing here is a secret
    hits: list[bool] = []
    for choices in MAPPINGS.values():
        for name in choices:
            hits += [suggest(slip, choices) == name for slip in misspellings(name, chance) if slip not in choices]
    assert len(hits) > 2000
    assert sum(hits) / len(hits) >= 0.98


def test_every_alias_leads_to_a_name_of_the_language() -> None:
    names = {name for choices in MAPPINGS.values() for name in choices}
    names |= set(grammar.keys_of(grammar.at(("dataset",)))) | {"scale", "path", "columns", "target"}
    names |= {
        "standardize",
        "minmax",
        "robust",
        "one_hot",
        "float32",
        "float64",
        "bf16",
        "tpe",
        "hyperband",
        "cuda",
        "all",
        "accuracy",
        "roc_auc",
        "mae",
    }
    inits = grammar.family_of(grammar.at(("layers", 0, "linear", "init")))
    assert inits is not None
    names |= set(inits.names) | {key for member in inits.members for key in member.model_fields}
    assert {alias for alias, found in ALIASES.items() if not set(found) <= names} == set()


@pytest.mark.parametrize(
    ("found", "choices", "expected"),
    [
        ("Leaky-ReLU", ("relu", "leaky_relu"), True),
        ("CrossEntropyLoss", ("cross_entropy", "bce"), True),
        ("binary_crossentropy", ("cross_entropy", "bce"), True),
        ("BatchNorm1d", ("batch_norm", "layer_norm"), True),
        ("Dropout2d", ("dropout",), False),  # drops whole channels
        ("norm", ("batch_norm", "layer_norm"), False),
        ("mean_absolute_error", ("l1", "mse"), True),
        ("mean_absolute_error", ("l1", "mae"), False),  # there are two of them
        ("size", ("out_features",), False),
        ("rellu", ("relu", "gelu"), True),
        ("rleu", ("relu", "gelu"), True),
        ("nelu", ("relu", "gelu"), False),  # as near to both
        ("adan", ("adam", "adamw"), True),
        ("relo", ("relu", "relu6"), True),
        ("rlu", ("relu",), False),  # too short to tell
        ("smooth_l2", ("smooth_l1",), False),  # another number
        ("beta1", ("betas",), False),
        ("liner_layr", ("linear",), False),
    ],
)
def test_what_is_sure(found: str, choices: tuple[str, ...], expected: bool) -> None:
    assert surely(found, suggest(found, choices) or choices[0], choices) is expected


def test_synonyms_are_aliases() -> None:
    assert set(ALIASES) >= SYNONYMS


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("", "", 0),
        ("", "ab", 2),
        ("relu", "relu", 0),
        ("rellu", "relu", 1),
        ("rleu", "relu", 1),
        ("lineer", "linear", 1),
        ("ca", "abc", 3),
        ("kitten", "sitting", 3),
    ],
)
def test_distance(left: str, right: str, expected: int) -> None:
    assert distance(left, right) == distance(right, left) == expected
