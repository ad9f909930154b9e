"""Layers on columns: what they compute, where they may stand, and what they take from the training rows."""

from __future__ import annotations

from itertools import pairwise
from math import cos, pi, sin
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ffspec
from ffspec import api, document
from ffspec.builder.embeddings import PBLD, PLR, Embedding, PiecewiseLinear
from ffspec.builder.network import build_network
from ffspec.builder.scaling import Parametric
from ffspec.planner import plan
from ffspec.spec.facts import Facts
from ffspec.spec.root import Spec
from tests.snippets import OPTIONAL

BLOBS = "dataset: {blobs: {n_samples: {train: 60, validation: 20, test: 20}, centers: 3, n_features: 4}}\n"
REST = "loss: cross_entropy\noptimizer: adam\ntraining: {epochs: 2}\n"
ROWS = "a,kind,b,flag,y\n" + "".join(
    f"{index % 7 / 3:.2f},{'vwxyz'[index * index % 5]},{index * 7 % 11},{'ny'[index % 2]},{index % 3}\n"
    for index in range(60)
)
TABLE = "dataset:\n  csv: {path: rows.csv, target: y, task: classification}\n  prepare: {categories: codes}\n"


def drawn(module: torch.nn.Module) -> Any:
    """Give every parameter numbers."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return module


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def faults(layers: str, data: str = BLOBS) -> list[tuple[str, str, str | None]]:
    found = api.diagnose(document.parse(f"{data}layers: {layers}\n{REST}"))
    return [(item.code, item.message, item.hint) for item in found]


@pytest.mark.parametrize("lite", [False, True])
def test_plr_is_its_formula(lite: bool) -> None:
    module, x = drawn(PLR(3, 5, 2, lite=lite, numbers=[0, 2])), numbers(4, 3)
    for row, result in zip(x.tolist(), module(x).tolist(), strict=True):
        expected = []
        for place, column in enumerate((0, 2)):
            angles = [2 * pi * c * row[column] for c in module.frequencies[place].tolist()]
            waves = torch.tensor([*map(cos, angles), *map(sin, angles)])
            weight, bias = (module.weight, module.bias) if lite else (module.weight[place], module.bias[place])
            expected += (waves @ weight + bias).relu().tolist()
        assert result == pytest.approx([*expected, row[1]], abs=1e-5)


def test_pbld_is_its_formula() -> None:
    module, x = drawn(PBLD(3, 4, 2, numbers=[1, 2])), numbers(5, 3)
    for row, result in zip(x.tolist(), module(x).tolist(), strict=True):
        expected = []
        for place, column in enumerate((1, 2)):
            pairs = zip(module.frequencies[place].tolist(), module.phases[place].tolist(), strict=True)
            waves = torch.tensor([cos(2 * pi * c * row[column] + phase) for c, phase in pairs])
            expected += [*(waves @ module.weight[place] + module.bias[place]).tolist(), row[column]]
        assert result == pytest.approx([*expected, row[0]], abs=1e-5)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("activation", [False, True])
def test_piecewise_linear_is_its_formula(activation: bool, skip: bool) -> None:
    train, x = numbers(80, 2), numbers(9, 2) * 3
    module = drawn(PiecewiseLinear(2, 3, 4, activation=activation, skip=skip))
    module.fit(train)
    for row, result in zip(x.tolist(), module(x).tolist(), strict=True):
        expected: list[float] = []
        for column in range(2):
            edges = np.quantile(train[:, column].double().numpy(), np.linspace(0, 1, 5))
            reach = [(row[column] - low) / (high - low) for low, high in pairwise(edges.tolist())]
            encoded = [min(reach[0], 1), *(min(max(one, 0), 1) for one in reach[1:-1]), max(reach[-1], 0)]
            found = torch.tensor(encoded) @ module.weight[column] + module.bias[column]
            found = found + row[column] * module.direct[column] if skip else found
            expected += (found.relu() if activation else found).tolist()
        assert result == pytest.approx(expected, abs=1e-4)


def test_bins_are_fewer_where_values_repeat() -> None:
    train = torch.tensor([[0.0, 5.0], [0.0, 5.0], [0.0, 5.0], [1.0, 5.0]]).repeat(20, 1)
    module = drawn(PiecewiseLinear(2, 3, 4))
    module.fit(train)
    assert module.slope.ne(0).sum(dim=1).tolist() == [2, 0]  # edges 0, 0.25 and 1; none in a column that is constant
    out = module(torch.tensor([[-100.0, 0.0], [100.0, 9.0]]))
    assert torch.equal(out[:, 3:], module.bias[1].expand(2, 3))
    assert all(bool(buffer.isfinite().all()) for buffer in module.buffers())


def test_a_bin_has_twenty_rows_at_least() -> None:
    for rows, bins in ((10, 1), (39, 1), (40, 2), (79, 3), (400, 4)):
        module = PiecewiseLinear(1, 3, 4)
        module.fit(torch.arange(float(rows)).unsqueeze(1))
        assert int(module.slope.ne(0).sum()) == bins


def test_an_embedding_is_a_table_for_each_column() -> None:
    module = drawn(Embedding(4, codes=[0, 2], levels=[3, 2], dimensions=[2, 3]))
    tables = torch.nn.Embedding(3, 2), torch.nn.Embedding(2, 3)
    with torch.no_grad():
        tables[0].weight.copy_(module.weight[:6].view(3, 2))
        tables[1].weight.copy_(module.weight[6:].view(2, 3))
    x = torch.tensor([[2.0, 0.5, 0.0, -1.0], [0.0, 1.5, 1.0, -2.0]])
    expected = torch.cat([tables[0](x[:, 0].long()), tables[1](x[:, 2].long()), x[:, [1, 3]]], dim=1)
    assert torch.equal(module(x), expected)


@pytest.mark.parametrize("activation", ["selu", "tanh", "softplus", "hardshrink"])
def test_a_parametric_activation_starts_as_the_activation_and_can_do_nothing(activation: str) -> None:
    module, x = Parametric(3, activation), numbers(5, 3)
    torch.testing.assert_close(module(x), getattr(torch.nn.functional, activation)(x))
    with torch.no_grad():
        module.weight.zero_()
    assert torch.equal(module(x), x)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (PLR, {"d_embedding": 5, "n_frequencies": 2, "numbers": [0, 2]}),
        (PLR, {"d_embedding": 5, "n_frequencies": 2, "lite": True}),
        (PBLD, {"d_embedding": 4, "n_frequencies": 2, "numbers": [1]}),
        (Embedding, {"codes": [0, 1], "levels": [9, 8], "dimensions": [2, 3]}),
        (Parametric, {"activation": "relu"}),
    ],
)
def test_members_of_an_ensemble_have_weights_of_their_own(kind: Any, options: dict[str, Any]) -> None:
    together, x = drawn(kind(3, **options, members=4)), numbers(5, 3).abs()
    alone = kind(3, **options)
    for member, found in enumerate(together(x.expand(4, 5, 3))):
        with torch.no_grad():
            for name, parameter in alone.named_parameters():
                parameter.copy_(together.get_parameter(name)[member].view_as(parameter))
        torch.testing.assert_close(found, alone(x))


def test_an_ensemble_of_embedded_columns() -> None:
    inside = "periodic: pbld}, scale, {linear: {out_features: 8, parametrization: ntk}}, {parametric: selu}, linear"
    layers = f"layers: [{{ensemble: {{members: 3, layers: [{{{inside}]}}}}]\n"
    result = ffspec.run(BLOBS + layers + REST, allow=OPTIONAL)
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    refused = "[{ensemble: {members: 3, layers: [scale, piecewise_linear, {linear: 8}, relu, linear]}}]"
    assert [code for code, *_ in faults(refused)] == ["FF128"]
    assert [code for code, *_ in faults(refused.replace("3,", "3, share: hidden,"))] == ["FF128"]
    signs = "[{ensemble: {members: 3, share: hidden, layers: [embedding, {linear: 8}, relu, linear]}}]"
    assert faults(signs) == [
        ("FF127", "embedding must receive the codes themselves, but ensemble changes them", "put it in front")
    ]


FRONTS = ("embedding", "identity", "periodic", {"periodic": "pbld"}, {"piecewise_linear": 2})


@given(
    levels=st.lists(st.sampled_from([0, 0, 1, 2, 5]), min_size=1, max_size=6),
    layers=st.lists(st.sampled_from(FRONTS), max_size=3),
)
@settings(max_examples=40)
def test_the_plan_is_what_torch_builds_whatever_the_columns_are(levels: list[int], layers: list[Any]) -> None:
    parts = {"dataset": "arrays", "layers": (*layers, {"linear": 3}), "loss": "cross_entropy", "optimizer": "adam"}
    spec = Spec.model_validate(parts)
    facts = Facts(features=len(levels), target="classes", outputs=3, levels=tuple(levels), rows={"train": 9})
    planned = plan(spec, facts)
    network = build_network(planned).eval()
    assert planned.parameters == sum(parameter.numel() for parameter in network.parameters())
    x = torch.zeros(2, len(levels))
    for step, module in zip(planned.steps, network, strict=True):
        x = module(x)
        assert tuple(x.shape[1:]) == step.output


def test_columns_must_be_apart_and_codes_unchanged() -> None:
    assert faults("[{linear: 8}, periodic, linear]") == [
        ("FF127", "periodic must stand where each feature is a column of its own, but linear mixes them",
         "put it in front")
    ]  # fmt: skip
    assert faults("[scale, dropout, embedding, {linear: 8}, relu, linear]") == [
        ("FF127", "embedding must receive the codes themselves, but scale changes them", "put it in front")
    ]
    assert faults("[{residual: [piecewise_linear, {linear: 4}]}, linear]")[0][0] == "FF127"
    assert faults("[scale, {repeat: {times: 2, layers: [{dropout: 0.1}, periodic]}}, {linear: 8}, relu, linear]") == []


def test_what_a_layer_learns_starts_as_its_paper_has_it() -> None:
    network = ffspec.build(f"{BLOBS}layers: [{{periodic: {{d_embedding: 50, n_frequencies: 400}}}}, linear]\n{REST}")
    first = network[0]
    assert isinstance(first, PLR)
    assert float(first.frequencies.detach().std()) == pytest.approx(0.01, rel=0.1)
    bound = 1 / 800**0.5
    assert 0.99 * bound < float(first.weight.detach().abs().max()) <= bound
    dense = ffspec.build(f"{BLOBS}layers: [{{periodic: {{variant: pbld, n_frequencies: 400}}}}, linear]\n{REST}")[0]
    assert isinstance(dense, PBLD)
    assert float(dense.frequencies.detach().std()) == pytest.approx(0.1, rel=0.1)
    assert 0.99 * pi < float(dense.phases.detach().abs().max()) <= pi


def test_bins_come_from_the_training_rows_as_the_layers_in_front_leave_them() -> None:
    layers = "layers: [{dropout: 0.5}, {piecewise_linear: {n_bins: 3}}, {linear: 8}, relu, linear]\n"
    result = ffspec.run(BLOBS + layers + REST, allow=OPTIONAL)
    module = result.model[1]
    assert isinstance(module, PiecewiseLinear)
    edges = np.quantile(result.data.splits["train"].x.astype(np.float32).astype(np.float64), np.linspace(0, 1, 4), 0)
    assert module.left.T.flatten().tolist() == pytest.approx(edges[:-1].flatten().tolist(), rel=1e-6)


def test_a_table_of_numbers_and_codes(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    layers = "layers: [{embedding: 3}, {periodic: pbld}, {linear: 8}, relu, linear]\n"
    (tmp_path / "spec.yaml").write_text(TABLE + layers + REST, encoding="utf-8")
    result = ffspec.run(tmp_path / "spec.yaml", out=tmp_path / "runs")
    calls = [str(step.call) for step in result.plan.steps[:2]]
    assert calls == [
        "ffspec.Embedding(num_features=4, codes=(1, 3), levels=(4, 3), dimensions=(3, 3))",
        "ffspec.PBLD(num_features=8, d_embedding=4, n_frequencies=16, numbers=(6, 7))",
    ]
    assert result.directory is not None
    again = ffspec.run(result.directory / "resolved.yaml", allow_outside=True)
    assert again.after == result.after
