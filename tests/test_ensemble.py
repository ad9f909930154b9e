"""Ensembles: each member is the network it would be alone, and their answer is the mean of what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ffspec
from ffspec import document, rundir
from ffspec.builder import initialise
from ffspec.builder.network import build_network, construct
from ffspec.builder.stacked import Ensemble, SharedEnsemble, StackedLinear, combined
from ffspec.data import load_spec
from ffspec.diagnostics import SpecError
from ffspec.rules.network import BLOCKS
from ffspec.runner.evaluation import measure_splits
from ffspec.runner.setup import Setup, set_up, trainer_of
from ffspec.seeds import derive
from ffspec.spec.ensembles import STACKED, stacked
from ffspec.spec.kinds import Layer
from ffspec.spec.layers import LAYERS
from ffspec.spec.step import Call
from tests.interrupting import Crash, crash_at
from tests.test_rules import made

MEMBERS = 3
DATA = "dataset: {friedman1: {n_samples: {train: 110, validation: 40}, noise: 1.0}, prepare: standardize}\n"
DEEP = (
    "{linear: {out_features: 16, bias: false, init: {kaiming_normal: {nonlinearity: relu}}}}, batch_norm, relu, "
    "{residual: [{linear: {out_features: 16, bias: false, parametrization: ntk}}, layer_norm, prelu]}, scale, "
    "rms_norm, {linear: {out_features: 8, bias: false}}, {batch_norm: {momentum: null}}, glu, flatten, "
    "{parametric: selu}, linear"
)
EMBEDDED = "{periodic: {n_frequencies: 4, d_embedding: 3}}, {linear: 16}, {parametric: mish}, linear"
SHALLOW = "{linear: 16}, tanh, linear"


def spec_of(layers: str, rest: str = "loss: mse\noptimizer: {adam: 0.01}\n", training: str = "epochs: 3") -> str:
    return f"{DATA}seed: 5\nlayers: [{layers}]\n{rest}training: {{{training}, batch_size: 32}}\n"


def block(layers: str, *, share: bool = False, members: int = MEMBERS) -> str:
    return f"{{ensemble: {{members: {members}{', share: hidden' if share else ''}, layers: [{layers}]}}}}"


def set_up_of(text: str) -> Setup:
    spec = ffspec.load(text)
    loaded = load_spec(spec)
    return set_up(spec, ffspec.planner.plan(spec, loaded.facts), loaded)


def ensemble_of(network: nn.Sequential) -> Ensemble | SharedEnsemble:
    (found,) = (module for module in network if isinstance(module, Ensemble | SharedEnsemble))
    return found


def state_of(ensemble: nn.Module, member: int) -> dict[str, Tensor]:
    """Return the state of one member, as a network of its own has it."""
    state = {name: tensor.detach() for name, tensor in ensemble.state_dict().items()}
    return {name: (tensor[member] if tensor.dim() else tensor).clone() for name, tensor in state.items()}


HARD = "clip_grad_norm: 0.05"


@pytest.mark.parametrize(
    ("layers", "optimizer", "training"),
    [
        (DEEP, "{adam: {lr: 0.01, weight_decay: 0.1}}", HARD),
        (DEEP, "{sgd: {lr: 0.01, momentum: 0.9, weight_decay: 0.01}}", HARD),
        (DEEP, "{adamw: 0.01}", "clip_grad_value: 0.01"),
        (SHALLOW, "{adam: {lr: 0.01, weight_decay: 0.1}}", "precision: float32"),
        (SHALLOW, "{sgd: 0.01}", "precision: float32"),
        (EMBEDDED, "{adam: 0.01}", HARD),
    ],
)
def test_a_member_learns_what_it_would_alone(layers: str, optimizer: str, training: str) -> None:
    """After 100 steps. No bias stands in front of batch_norm: adam would make steps of the rounding of its zeros."""
    exact = "precision" not in training
    told = f"epochs: 25, {training}" + (", precision: float64" if exact else "")
    rest = f"loss: mse\noptimizer: {optimizer}\n"
    together = set_up_of(spec_of(block(layers), rest, told))
    ensemble = ensemble_of(together.network)
    starts = [state_of(ensemble, member) for member in range(MEMBERS)]
    history = trainer_of(together).run(lambda row: None)  # noqa: ARG005
    losses = []
    for member, start in enumerate(starts):
        alone = set_up_of(spec_of(layers, rest, told))
        shapes = {name: tensor.shape for name, tensor in alone.network.state_dict().items()}
        alone.network.load_state_dict({name: tensor.reshape(shapes[name]) for name, tensor in start.items()})
        losses.append([row["loss"] for row in trainer_of(alone).run(lambda row: None)])  # noqa: ARG005
        for name, tensor in state_of(ensemble, member).items():
            scale = float(tensor.double().abs().max())
            gap = float((tensor.reshape(shapes[name]) - alone.network.state_dict()[name]).double().abs().max())
            assert gap <= (1e-9 if exact else 1e-5) * scale, (member, name)
    means = [sum(parts) / MEMBERS for parts in zip(*losses, strict=True)]
    assert [row["loss"] for row in history] == pytest.approx(means, rel=1e-9 if exact else 1e-5)


def test_each_member_starts_from_a_stream_of_its_own() -> None:
    network = ffspec.build(spec_of(block(SHALLOW)))
    for member in range(MEMBERS):
        for name, parameter in (("0.0.weight", (16, 10)), ("0.2.bias", (1,))):
            linear = nn.Linear(10 if "0.0" in name else 16, parameter[0])
            drawn = linear.get_parameter(name.rpartition(".")[2])
            generator = torch.Generator().manual_seed(derive(5, f"init/{member}/{name}"))
            initialise.start(linear, drawn, generator)
            assert torch.equal(network.get_parameter(name)[member], drawn)


def test_a_further_member_changes_no_other() -> None:
    few, more = (ffspec.build(spec_of(block(DEEP, members=count))) for count in (2, 5))
    for member in range(2):
        states = [state_of(ensemble_of(network), member) for network in (few, more)]
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


ARGUMENTS: dict[str, dict[str, Any]] = {
    "nn.Linear": {"in_features": 6, "out_features": 4},
    "ffspec.NTKLinear": {"in_features": 6, "out_features": 4, "bias": False},
    "ffspec.Scale": {"num_features": 6},
    "nn.PReLU": {"num_parameters": 6},
    "nn.BatchNorm1d": {"num_features": 6, "momentum": 0.3},
    "nn.LayerNorm": {"normalized_shape": 6},
    "nn.RMSNorm": {"normalized_shape": 6, "eps": 0.01},
}


@pytest.mark.parametrize("target", [*ARGUMENTS, "nn.Flatten"])
def test_a_stacked_module_is_its_plain_one_for_each_member(target: str) -> None:
    generator = torch.Generator().manual_seed(0)
    call = Call(target, ARGUMENTS.get(target, {}))
    made = stacked(call, MEMBERS)
    assert made is not None
    together = construct(made).double()
    alone = [construct(call).double() for _ in range(MEMBERS)]
    with torch.no_grad():
        for member, module in enumerate(alone):
            for name, parameter in module.named_parameters():
                parameter.copy_(torch.randn(parameter.shape, dtype=torch.float64, generator=generator))
                together.get_parameter(name)[member].copy_(parameter)
    x = torch.randn(MEMBERS, 9, 6, dtype=torch.float64, generator=generator)
    for training in (True, False):
        inputs = x.clone().requires_grad_()
        outputs = together.train(training)(inputs)
        (outputs**3).sum().backward()
        for member, module in enumerate(alone):
            row = x[member].clone().requires_grad_()
            expected = module.train(training)(row)
            torch.testing.assert_close(outputs[member], expected)
            (expected**3).sum().backward()
            assert inputs.grad is not None
            torch.testing.assert_close(inputs.grad[member], row.grad)
            for name, parameter in module.named_parameters():
                gradient = together.get_parameter(name).grad
                assert gradient is not None
                torch.testing.assert_close(gradient[member], parameter.grad)


def test_every_layer_has_a_stacked_form_or_is_known_to_have_none() -> None:
    without = {"ffspec.TargetScale", "ffspec.Temperature"}
    targets = set(BLOCKS) - {"ffspec.Residual"}
    for layer in LAYERS:
        if issubclass(layer, Layer):
            targets.add(made(layer).as_step((4,)).call.target)
    assert {target for target in targets if stacked(Call(target), 2) is None} == without
    assert set(STACKED) - targets == {"ffspec.NTKLinear", "ffspec.MemberScale"}


def test_what_is_averaged_is_what_the_outputs_mean() -> None:
    outputs = torch.randn(5, 7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 5
    torch.testing.assert_close(combined(outputs, "mean"), outputs.mean(dim=0))
    torch.testing.assert_close(combined(outputs, "probabilities").softmax(dim=-1), outputs.softmax(dim=-1).mean(dim=0))
    torch.testing.assert_close(combined(outputs, "sigmoid").sigmoid(), outputs.sigmoid().mean(dim=0))
    torch.testing.assert_close(combined(outputs, "rates").exp(), outputs.exp().mean(dim=0))
    far = torch.tensor([[[900.0]], [[-900.0]]])
    assert torch.equal(combined(far, "sigmoid"), torch.zeros(1, 1))


LOSSES = (
    ("cross_entropy", "linear", "probabilities"),
    ("nll", "linear, log_softmax", "probabilities"),
    ("bce_with_logits", "linear", "sigmoid"),
    ("bce", "linear, sigmoid", "mean"),
    ("multi_margin", "linear", "mean"),
)


@pytest.mark.parametrize(("loss", "tail", "how"), LOSSES)
@pytest.mark.parametrize("share", [False, True])
def test_the_loss_decides_how_members_answer_together(loss: str, tail: str, how: str, share: bool) -> None:
    text = f"dataset: breast_cancer\nlayers: [{block(f'{{linear: 4}}, relu, {tail}', share=share)}]\nloss: {loss}\n"
    network = ffspec.build(text + "optimizer: adam\n")
    ensemble = ensemble_of(network)
    assert ensemble.combine == how
    x = torch.randn(11, 30, generator=torch.Generator().manual_seed(0))
    outputs = network.train()(x)
    width = 2 if loss in {"cross_entropy", "nll", "multi_margin"} else 1
    assert outputs.shape == (MEMBERS * 11, width)
    torch.testing.assert_close(network.eval()(x), combined(outputs.view(MEMBERS, 11, width), how))


def test_shared_members_are_their_factors_the_same_layers_and_a_linear_of_their_own() -> None:
    network = ffspec.build(spec_of(block("{linear: 8}, batch_norm, relu, linear", share=True)))
    scale, first, norm, relu, last = ensemble_of(network)
    assert isinstance(last, StackedLinear)
    signs = scale.get_parameter("weight")
    assert signs.shape == (MEMBERS, 10)
    assert set(signs.flatten().tolist()) == {-1.0, 1.0}
    x = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    rows = torch.cat([x * signs[member] for member in range(MEMBERS)])
    hidden = relu(norm(first(rows))).split(6)
    biases = last.get_parameter("bias")
    expected = [hidden[member] @ last.weight[member].T + biases[member] for member in range(MEMBERS)]
    torch.testing.assert_close(network(x), torch.cat(expected))


def test_the_plan_counts_all_members() -> None:
    alone, together = (ffspec.plan(spec_of(layers)) for layers in (DEEP, block(DEEP)))
    assert alone.parameters is not None
    assert alone.flops is not None
    assert together.parameters == MEMBERS * alone.parameters
    assert together.flops == MEMBERS * alone.flops + MEMBERS  # and their mean
    shared = ffspec.plan(spec_of(block("{linear: 8}, relu, linear", share=True)))
    assert shared.parameters == MEMBERS * 10 + 88 + MEMBERS * 9


def test_widths_are_written_into_the_resolved_spec(tmp_path: Path) -> None:
    result = ffspec.run(spec_of(block(SHALLOW)), out=tmp_path)
    assert result.directory is not None
    resolved = ffspec.load(result.directory / rundir.RESOLVED)
    layers: Any = resolved.layers[0]
    assert [getattr(layer, "in_features", None) for layer in layers.layers] == [10, None, 16]
    assert [getattr(layer, "out_features", None) for layer in layers.layers] == [16, None, 1]
    again = ffspec.run(resolved, out=tmp_path / "again")
    assert again.directory is not None
    assert (again.directory / rundir.MODEL).read_bytes() == (result.directory / rundir.MODEL).read_bytes()


@pytest.mark.parametrize("share", [False, True])
def test_a_stopped_run_goes_on_to_the_same_bits(share: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = block("{linear: 16}, {batch_norm: {}}, relu, {dropout: 0.2}, linear", share=share)
    text = spec_of(layers, training="epochs: 4, early_stopping: {patience: 2}, checkpoint: {steps: 3}")
    whole = ffspec.run(text, out=tmp_path / "whole")
    with monkeypatch.context() as patch:
        crash_at(9, patch)
        with pytest.raises(Crash):
            ffspec.run(text, out=tmp_path / "stopped")
    (stopped,) = (tmp_path / "stopped").glob("*/*")
    resumed = ffspec.resume(stopped)
    assert resumed.history == whole.history
    assert all(torch.equal(a, b) for a, b in zip(resumed.model.parameters(), whole.model.parameters(), strict=True))


def test_dropout_is_drawn_for_each_member() -> None:
    network = ffspec.build(spec_of(block("{dropout: 0.5}, linear"))).train()
    rows = network(torch.ones(50, 10)).view(MEMBERS, 50)
    assert len({tuple((row > row.mean()).tolist()) for row in rows}) == MEMBERS


def test_many_rows_are_evaluated_in_parts_that_fit_all_members(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = set_up_of(spec_of(block(SHALLOW)))
    seen: list[int] = []
    monkeypatch.setattr("ffspec.runner.evaluation.ROWS_AT_ONCE", 30)
    ensemble_of(setup.network).register_forward_hook(lambda *parts: seen.append(len(parts[2])))
    measure_splits(setup.network, {"validation": setup.splits["validation"]}, setup.judge)
    assert seen == [10, 10, 10, 10]


def test_what_stands_in_front_is_shared() -> None:
    setup = set_up_of(spec_of(f"scale, {{linear: 4}}, {block(SHALLOW)}, target_scale", training=f"epochs: 2, {HARD}"))
    trainer_of(setup).run(lambda row: None)  # noqa: ARG005
    assert setup.network.get_parameter("1.weight").shape == (4, 10)
    assert not torch.equal(setup.network.get_parameter("0.weight"), torch.ones(10))


ALONE = "an ensemble must be the last of the layers: its members answer together"
REFUSED = (
    (f"{block(SHALLOW)}, linear", ALONE, "put what stands behind it into its layers"),
    (f"{{residual: [{block(SHALLOW)}]}}, linear", ALONE, "put what stands behind it into its layers"),
    (block(block(SHALLOW)), ALONE, "put what stands behind it into its layers"),
    (
        block("relu", share=True),
        "an ensemble that shares its hidden layers must end with a linear: each member has its own",
        "add linear to its layers",
    ),
)


@pytest.mark.parametrize(("layers", "message", "hint"), REFUSED)
def test_what_cannot_be_an_ensemble_is_refused(layers: str, message: str, hint: str) -> None:
    found = ffspec.check(spec_of(layers))
    assert (message, hint) in [(item.message, item.hint) for item in found if item.code == "FF128"]


def test_muon_has_no_matrices_in_an_ensemble() -> None:
    with pytest.raises(SpecError) as caught:
        ffspec.plan(spec_of(block(SHALLOW), "loss: mse\noptimizer: muon\n"))
    (found,) = caught.value.diagnostics
    assert found.message == "muon is made for single matrices, but an ensemble has a stack of them in each linear"


def test_a_wrong_width_is_shown_inside() -> None:
    opened = document.parse(spec_of(block("{linear: 4}, relu, {linear: 2}")), "spec.yaml")
    assert opened.spec is not None
    (found,) = ffspec.check(opened.spec)
    assert (found.code, found.path) == ("FF114", ("layers", 0, "ensemble", "layers", 2, "linear", "out_features"))


def test_rules_look_inside() -> None:
    found = ffspec.check(spec_of(block("{linear: 4}, {linear: 4}, relu, linear")))
    assert [(item.code, item.path) for item in found] == [("FF110", ("layers", 0, "ensemble", "layers", 1))]


def test_meta_networks_have_the_same_shapes() -> None:
    plan = ffspec.plan(spec_of(block(DEEP)))
    shapes = [{name: one.shape for name, one in build_network(plan, device=device).state_dict().items()}
              for device in ("meta", "cpu")]  # fmt: skip
    assert shapes[0] == shapes[1]
