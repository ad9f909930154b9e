"""Laws of the plan: what it says of shapes and parameters is what torch builds, and text and spec are one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import ffspec
from ffspec.builder.network import build_network
from ffspec.planner import plan, walk
from ffspec.resolver import resolve
from ffspec.spec.activations import ACTIVATIONS
from ffspec.spec.root import Spec
from ffspec.spec.step import Step
from ffspec.writer import dump
from tests.snippets import OPTIONAL

PLAIN = tuple(
    layer.name
    for layer in ACTIVATIONS
    if layer.name != "glu" and not any(field.is_required() for field in layer.model_fields.values())
)
WIDTHS = st.integers(1, 40)


def linears() -> st.SearchStrategy[Any]:
    parametrizations = st.sampled_from(["standard", "ntk"])
    optional = {"bias": st.booleans(), "parametrization": parametrizations}
    options = st.fixed_dictionaries({"out_features": WIDTHS}, optional=optional)
    return st.one_of(WIDTHS.map(lambda width: {"linear": width}), options.map(lambda given: {"linear": given}))


def keepers() -> st.SearchStrategy[Any]:
    """Generate layers that keep the width."""
    return st.one_of(
        st.sampled_from(PLAIN),
        st.sampled_from(["batch_norm", "layer_norm", "rms_norm", "dropout", "alpha_dropout", "flatten", "scale"]),
        st.just({"parametric": "selu"}),
        st.booleans().map(lambda learnt: {"batch_norm": {"affine": learnt}}),
        st.just("prelu"),
        st.booleans().map(lambda learnt: {"layer_norm": {"bias": learnt}}),
        st.booleans().map(lambda learnt: {"rms_norm": {"elementwise_affine": learnt}}),
    )


def fronts() -> st.SearchStrategy[Any]:
    """Generate layers on columns, which stand in front."""
    plr = {"d_embedding": st.integers(2, 5), "n_frequencies": st.integers(1, 5), "lite": st.booleans()}
    bins = {
        "d_embedding": st.integers(1, 5),
        "n_bins": st.integers(2, 5),
        "activation": st.sampled_from([None, "relu"]),
        "skip": st.booleans(),
    }
    layer = st.one_of(
        st.fixed_dictionaries({}, optional=plr).map(lambda given: {"periodic": given}),
        st.integers(2, 5).map(lambda width: {"periodic": {"variant": "pbld", "d_embedding": width}}),
        st.fixed_dictionaries({}, optional=bins).map(lambda given: {"piecewise_linear": given}),
        st.sampled_from(["embedding", "identity"]),
    )
    return st.lists(layer, max_size=2)


def stacks() -> st.SearchStrategy[Any]:
    """Generate layers, some of them inside blocks."""
    kept = st.recursive(keepers(), lambda inner: repeats(inner) | residuals(inner), max_leaves=4)
    gates = WIDTHS.map(lambda width: {"repeat": {"times": 2, "layers": ({"linear": 2 * width}, "glu")}})
    layer = st.recursive(st.one_of(linears(), keepers(), residuals(kept), gates), repeats, max_leaves=4)
    return st.lists(layer, max_size=6)


def repeats(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    made = st.tuples(st.integers(1, 3), st.lists(inner, min_size=1, max_size=3))
    return made.map(lambda made: {"repeat": {"times": made[0], "layers": tuple(made[1])}})


def residuals(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, min_size=1, max_size=3).map(lambda layers: {"residual": tuple(layers)})


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    features, classes = draw(st.integers(1, 20)), draw(st.integers(2, 6))
    blobs = {"n_samples": 40, "n_features": features, "centers": classes}
    optimizer = draw(st.sampled_from(["adam", {"sgd": {"lr": 0.1, "momentum": 0.9}}, {"adamw": 0.01}, "lbfgs"]))
    scheduler = draw(st.sampled_from([None, "cosine_annealing", {"step": 3}, {"warmup": {"total_iters": 2}}]))
    value: dict[str, Any] = {
        "seed": draw(st.integers(0, 1000)),
        "dataset": {"blobs": blobs},
        "layers": (*draw(fronts()), *draw(stacks()), "linear"),
        "loss": draw(st.sampled_from(["cross_entropy", "multi_margin", "mse"])),
        "optimizer": optimizer,
    }
    return Spec.model_validate(value if scheduler is None else {**value, "scheduler": scheduler})


def shapes(model: nn.Module, x: torch.Tensor) -> list[tuple[int, ...]]:
    """Return the shape of the output of every step, outer ones in order."""
    found = []
    for module in model.children():
        x = module(x)
        found.append(tuple(x.shape[1:]))
    return found


@given(spec=specs())
@settings(max_examples=60)
def test_the_plan_is_what_torch_builds(spec: Spec) -> None:
    planned = plan(spec)
    model = build_network(planned, device="meta").eval()
    x = torch.empty(3, planned.facts.features or 0, device="meta")
    assert shapes(model, x) == [step.output for step in planned.steps]
    assert planned.parameters == sum(parameter.numel() for parameter in model.parameters())
    for step, module in zip(planned.steps, model.children(), strict=True):
        inside = sum(parameter.numel() for parameter in module.parameters())
        assert sum(inner.parameters or 0 for inner in walk([step])) == inside


@given(spec=specs())
@settings(max_examples=60)
def test_text_and_spec_are_one(spec: Spec) -> None:
    assert ffspec.load(dump(spec), allow=OPTIONAL) == spec
    assert ffspec.load(dump(spec, full=True), allow=OPTIONAL) == spec


@given(spec=specs())
@settings(max_examples=60)
def test_resolving_changes_nothing_but_what_is_left_out(spec: Spec) -> None:
    planned = plan(spec)
    resolved = resolve(spec, planned, Path())
    assert plan(resolved) == planned
    assert resolve(resolved, planned, Path()) == resolved
    assert all(isinstance(step, Step) for step in walk(planned.steps))
