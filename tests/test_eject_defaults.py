"""What a script leaves out, PyTorch and scikit-learn take anyway; and what is decided twice is decided alike."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from sklearn import datasets
from torch import nn
from torch.optim import lr_scheduler

import ffspec
from ffspec.builder import normal
from ffspec.builder.network import OWN
from ffspec.builder.optimizer import FUSED as BUILT_FUSED
from ffspec.builder.scheduler import _has_momentum
from ffspec.export import weights
from ffspec.export.calibration import ROWS_AT_ONCE
from ffspec.export.defaults import DEFAULTS, FUSED, MOMENTUM
from ffspec.export.subject import survey
from ffspec.export.text import literal
from ffspec.runner import evaluation
from ffspec.runner.setup import chosen_metrics
from ffspec.spec.generators import Spirals, Xor
from ffspec.spec.optimizers import OPTIMIZERS
from tests.test_components import ROWS

PLACES = {"nn": nn, "ffspec": SimpleNamespace(**OWN), "optim": torch.optim, "lr_scheduler": lr_scheduler}


@pytest.mark.parametrize("target", DEFAULTS)
def test_pytorch_takes_what_is_left_out(target: str) -> None:
    place, name = target.split(".")
    parameters = inspect.signature(getattr(PLACES[place], name)).parameters
    assert {key: parameters[key].default for key in DEFAULTS[target]} == DEFAULTS[target]


def test_scikit_learn_takes_what_is_left_out() -> None:
    from ffspec.spec.dataset import SOURCES
    from ffspec.spec.generators import Generator

    for source in SOURCES:
        if not issubclass(source, Generator) or source in (Xor, Spirals):
            continue
        parameters = inspect.signature(getattr(datasets, f"make_{source.name}")).parameters
        fields = source.model_fields
        given = {key: fields[key].default for key in fields if key not in {"n_samples", "labels", "centers"}}
        taken = {key: parameters[key].default for key in given}
        # No noise, no width and no seed are each written in two ways.
        unlike = {key: (given[key], taken[key]) for key in given if given[key] != taken[key]}
        assert set(unlike.values()) <= {(0.0, None), (None, 2)}, source.name


def test_the_same_optimizers_are_fused_and_have_a_momentum() -> None:
    assert {name for name, places in BUILT_FUSED.items() if "cpu" in places} == FUSED
    weight = nn.Parameter(torch.zeros(2, 2))
    built = {spec.torch: getattr(torch.optim, spec.torch)([weight]) for spec in OPTIMIZERS}
    assert {name for name, optimizer in built.items() if _has_momentum(optimizer)} == MOMENTUM


def test_the_quantiles_are_the_builders() -> None:
    namespace: dict[str, Any] = {"torch": torch, "math": __import__("math")}
    for text in (weights.TABLES, weights.POLYNOMIAL, weights.LOGARITHM, weights.QUANTILE):
        exec(text, namespace)  # noqa: S102 - our own text
    chance = torch.cat([torch.rand(10_000, dtype=torch.float64), torch.tensor([0.0, 1.0, 1e-300, 1e-12]).double()])
    assert torch.equal(namespace["quantile"](chance), normal.quantile(chance))


def test_rows_are_evaluated_in_the_same_parts() -> None:
    assert ROWS_AT_ONCE == evaluation.ROWS_AT_ONCE


CHOOSING = [row for row in ROWS if row.values[0] in {"metric", "scheduler"}]


@pytest.mark.parametrize("text", [row.values[2] for row in CHOOSING], ids=[row.id for row in CHOOSING])
def test_the_same_metrics_are_chosen(text: str) -> None:
    subject = survey(ffspec.load(text))
    assert subject.metrics == chosen_metrics(subject.spec, subject.plan)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-05, "1e-5"),
        (1e16, "1e16"),
        (1.5e-07, "1.5e-7"),
        (2.0, "2.0"),
        (True, "True"),
        (None, "None"),
        ((1, 2.5), "[1, 2.5]"),
        ("it's", '"it\'s"'),
        ('a "b"', "'a \"b\"'"),
        ("both ' and \"", '"both \' and \\""'),
        ("a\\b\n\t", '"a\\\\b\\n\\t"'),
        ("Größe", '"Größe"'),
    ],
)
def test_a_literal_is_read_back(value: Any, text: str) -> None:
    import ast

    assert literal(value) == text
    read = ast.literal_eval(text)
    assert (tuple(read) if isinstance(read, list) else read) == value
