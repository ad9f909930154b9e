"""Parameter groups: which parameters get which factors, that schedules keep them, and what is said of a wrong name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn, optim

import ffspec
from ffspec import api, document
from ffspec.builder.optimizer import build_optimizers
from ffspec.builder.scheduler import Schedule
from ffspec.cli import _exit_code
from ffspec.spec.grouping import kinds, modules
from ffspec.spec.optimizers import OPTIMIZERS
from tests import test_loop
from tests.snippets import OPTIONAL
from tests.test_components import LAYERS, SCHEDULERS, flow, name_of, spec_of

NETWORK = """\
  - scale
  - linear: 16
  - batch_norm
  - repeat: {times: 2, layers: [{linear: 16}, relu]}
  - residual: [{linear: 16}, layer_norm]
  - linear
"""
SPEC = f"""\
dataset: {{digits: {{}}, split: {{test: 0.2}}}}
layers:
{NETWORK}loss: cross_entropy
optimizer: {{adam: {{lr: 0.01, weight_decay: 0.5, groups: GROUPS}}}}
"""
NAMES = [
    "0.weight", "1.weight", "1.bias", "2.weight", "2.bias", "3.weight", "3.bias", "5.weight", "5.bias",
    "7.0.weight", "7.0.bias", "7.1.weight", "7.1.bias", "8.weight", "8.bias",
]  # fmt: skip


def groups_of(spec: ffspec.Spec, network: nn.Module) -> list[tuple[float, float, list[str]]]:
    """Return the rate, the decay and the names of each group of a network."""
    (optimizer,) = build_optimizers(spec.optimizer, network, ffspec.plan(spec).steps)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return [
        (group["lr"], group["weight_decay"], [names[id(one)] for one in group["params"]])
        for group in optimizer.param_groups
    ]


@pytest.mark.parametrize(
    ("written", "scaled"),
    [
        ("[{lr: 3}]", NAMES),
        ("[{layers: scale, lr: 3}]", ["0.weight"]),
        ("[{parameters: bias, lr: 3}]", [name for name in NAMES if "bias" in name]),
        ("[{parameters: weight, lr: 3}]", [name for name in NAMES if "weight" in name]),
        ("[{layers: [linear], parameters: bias, lr: 3}]", ["1.bias", "3.bias", "5.bias", "7.0.bias", "8.bias"]),
        ("[{layers: repeat, lr: 3}]", ["3.weight", "3.bias", "5.weight", "5.bias"]),
        ("[{layers: residual, lr: 3}]", ["7.0.weight", "7.0.bias", "7.1.weight", "7.1.bias"]),
        ("[{layers: [batch_norm, layer_norm], parameters: weight, lr: 3}]", ["2.weight", "7.1.weight"]),
        ("[{layers: residual, lr: 6}, {parameters: bias, lr: 7}, {lr: 0.5}, {layers: residual, parameters: weight}]",
         None),
    ],
)  # fmt: skip
def test_an_entry_holds_for_the_parameters_of_its_layers(written: str, scaled: list[str] | None) -> None:
    spec = ffspec.load(SPEC.replace("GROUPS", written))
    found = {name: lr for lr, _, names in groups_of(spec, ffspec.build(spec)) for name in names}
    assert set(found) == set(NAMES)
    if scaled is None:
        factors = {name: 0.5 * (6 if name.startswith("7.") else 1) * (7 if "bias" in name else 1) for name in NAMES}
        assert found == pytest.approx({name: 0.01 * factor for name, factor in factors.items()})
    else:
        assert {name for name, lr in found.items() if lr == 0.01 * 3} == set(scaled)
        assert {name for name, lr in found.items() if lr == 0.01} == set(NAMES) - set(scaled)


def test_parameters_with_equal_factors_are_one_group_in_the_order_of_the_network() -> None:
    written = "[{layers: [scale, residual], lr: 2, weight_decay: 0}, {layers: residual, parameters: bias, lr: 0.5}]"
    spec = ffspec.load(SPEC.replace("GROUPS", written))
    biases, weights = ["7.0.bias", "7.1.bias"], ["0.weight", "7.0.weight", "7.1.weight"]
    rest = [name for name in NAMES if name not in {*biases, *weights}]
    assert groups_of(spec, ffspec.build(spec)) == [(0.02, 0.0, weights), (0.01, 0.5, rest), (0.01, 0.0, biases)]


def test_without_groups_there_is_one_and_factors_of_one_change_no_bit() -> None:
    bare = SPEC.replace(", groups: GROUPS", "") + "training: {epochs: 2}\n"
    spec = ffspec.load(bare)
    assert groups_of(spec, ffspec.build(spec)) == [(0.01, 0.5, NAMES)]
    ours, theirs = ffspec.run(bare), ffspec.run(bare.replace("0.5}", "0.5, groups: [{layers: linear}]}"))
    assert ours.history == theirs.history


def test_a_training_with_groups_is_that_of_torchs_parameter_groups() -> None:
    written = "{adamw: {lr: 0.01, groups: [{parameters: bias, lr: 0.1, weight_decay: 0}, {layers: linear, lr: 2}]}}"
    text = test_loop.spec_of(written, "epochs: 3, batch_size: 16", "{one_cycle: 0.05}")

    def grouped(parameters: list[nn.Parameter]) -> optim.Optimizer:
        weights, biases = parameters[::2], parameters[1::2]
        groups: list[dict[str, Any]] = [
            {"params": weights, "lr": 0.02},
            {"params": biases, "lr": 0.01 * (0.1 * 2), "weight_decay": 0.0},
        ]
        return optim.AdamW(groups, lr=0.01, fused=True)

    network, _ = test_loop.reference(
        text,
        grouped,
        per_step=lambda optimizer: optim.lr_scheduler.OneCycleLR(optimizer, [0.1, 0.05 * (0.1 * 2)], total_steps=12),
    )
    result = ffspec.run(text)
    for ours, theirs in zip(result.model.state_dict().values(), network.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("scheduler", [text for text in SCHEDULERS if "eta_min" not in text], ids=name_of)
def test_a_factor_holds_under_every_schedule(scheduler: str) -> None:
    groups = "[{parameters: bias, lr: 0.25}, {layers: linear, lr: 0.5}]"
    text = spec_of(optimizer=f"optimizer: {{sgd: {{lr: 0.05, groups: {groups}}}}}\n",
                   scheduler=f"scheduler: {flow(scheduler)}\n", training="training: {epochs: 3, batch_size: 8}\n",
                   dataset="dataset: {iris: {}, split: {validation: 0.2, test: 0.2}}\n")  # fmt: skip
    spec = ffspec.load(text, allow=OPTIONAL)
    plan = ffspec.plan(spec)
    optimizers = build_optimizers(spec.optimizer, ffspec.build(spec), plan.steps)
    bare = (optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.05, momentum=0.0),)
    schedules = Schedule(plan.schedule, optimizers), Schedule(plan.schedule, bare)
    rates = []
    for step in range(1, 13):
        rates.append(bare[0].param_groups[0]["lr"])
        assert [group["lr"] for group in optimizers[0].param_groups] == pytest.approx(
            [rates[-1] * 0.5, rates[-1] * 0.125]
        )
        for optimizer in (*optimizers, *bare):
            optimizer.step()
        for schedule in schedules:
            schedule.after_step()
            if step % 4 == 0:
                schedule.after_epoch(lambda _: 1.0)
    assert len(set(rates)) > 1


def test_the_history_has_the_learning_rate_itself() -> None:
    text = spec_of(optimizer="optimizer: {adam: {lr: 0.02, groups: [GROUPS]}}\n")
    for written in ("{layers: linear, lr: 4}", "{parameters: weight, lr: 4}", "{lr: 0}, {parameters: bias, lr: 3}"):
        result = ffspec.run(text.replace("GROUPS", written))
        expected = 0.0 if written.startswith("{lr: 0}") else 0.02
        assert [row["lr"] for row in result.history] == [expected] * 2


def test_a_factor_of_zero_leaves_parameters_as_they_are() -> None:
    text = spec_of(optimizer="optimizer: {muon: {groups: [{parameters: bias, lr: 0}]}}\n")
    before, after = ffspec.build(text).state_dict(), ffspec.run(text).model.state_dict()
    assert {name for name in before if torch.equal(before[name], after[name])} == {"0.bias", "2.bias", "4.bias"}


WRONG = """\
dataset: digits
layers: [scale, {linear: 16}, relu, linear]
loss: cross_entropy
optimizer:
  adam:
    groups:
      - {layers: scal, lr: 6}
      - {layers: [linear, softsign], lr: 2}
      - {layers: relu}
      - {layers: scale, parameters: bias}
scheduler: {warmup: {total_iters: 1, then: {cosine_annealing: {eta_min: 0.001}}}}
"""


def test_wrong_names_are_told_where_they_stand() -> None:
    opened = document.parse(WRONG, "spec.yaml")
    found = [item for item in api.diagnose(opened) if item.code == "FF040"]
    assert opened.render(found) == (
        "spec.yaml:7:18: error[FF040]: no layer is called 'scal'\n"
        "    7 |       - {layers: scal, lr: 6}\n"
        "      |                  ^^^^ did you mean 'scale'?\n"
        "spec.yaml:8:27: error[FF040]: no layer is called 'softsign'\n"
        "    8 |       - {layers: [linear, softsign], lr: 2}\n"
        "      |                           ^^^^^^^^ the layers with parameters are scale, linear\n"
        "spec.yaml:9:9: warning[FF040]: these factors hold for nothing: relu has no parameter\n"
        "    9 |       - {layers: relu}\n"
        "      |         ^^^^^^^^^^^^^^\n"
        "spec.yaml:10:9: warning[FF040]: these factors hold for nothing: scale has no bias\n"
        "   10 |       - {layers: scale, parameters: bias}\n"
        "      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "spec.yaml:11:73: error[FF040]: eta_min must be 0 beside groups with factors of lr, found 0.001\n"
        "   11 | scheduler: {warmup: {total_iters: 1, then: {cosine_annealing: {eta_min: 0.001}}}}\n"
        "      |                                                                         ^^^^^ leave it out\n"
        "3 errors, 2 warnings"
    )


def test_an_optimizer_without_a_decay_has_no_factor_for_it() -> None:
    text = WRONG.replace("adam:", "rprop:").replace("- {layers: scal, lr: 6}", "- {weight_decay: 0}")
    opened = document.parse(text, "spec.yaml")
    assert opened.render(opened.diagnostics) == (
        "spec.yaml:7:24: error[FF015]: rprop has no weight_decay to multiply\n"
        "    7 |       - {weight_decay: 0}\n"
        "      |                        ^\n"
        "1 error"
    )


def test_show_lists_the_groups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spec.yaml"
    written = "[{layers: scale, lr: 6}, {layers: residual, parameters: bias, lr: 0.5, weight_decay: 0}]"
    path.write_text(SPEC.replace("GROUPS", written))
    assert _exit_code(["show", str(path)]) == 0
    shown = capsys.readouterr().out.splitlines()
    rest = [f"{kind} of {layer}" for layer in ("linear", "batch_norm") for kind in ("weight", "bias")]
    rest += ["weight of linear in residual", "weight of layer_norm in residual"]
    place = next(index for index, line in enumerate(shown) if line.startswith("  groups"))
    assert shown[place : place + 4] == [
        "  groups     lr x 6: weight of scale",
        f"             lr x 1: {', '.join(rest)}",
        "             lr x 0.5, weight_decay x 0: bias of linear in residual, bias of layer_norm in residual",
        "  training   100 epochs of 45 steps of 32 rows, float32 on cpu",
    ]


@pytest.mark.parametrize(("text", "expected"), LAYERS, ids=[text for text, _ in LAYERS])
def test_the_kinds_of_a_layers_parameters_are_those_it_has(text: str, expected: Any) -> None:
    spec = ffspec.load(spec_of(layers=f"layers: [{{linear: 4}}, {flow(text)}, linear]\n"), allow=OPTIONAL)
    network = ffspec.build(spec)
    found = {f"{name}.{kind == 'bias'}" for name, step in modules(ffspec.plan(spec).steps) for kind in kinds(step)}
    names = [name.rpartition(".") for name, _ in network.named_parameters()]
    assert found == {f"{module}.{name == 'bias'}" for module, _, name in names}


def test_every_optimizer_but_lbfgs_has_groups() -> None:
    without = {member.name for member in OPTIMIZERS if "groups" not in member.model_fields}
    assert without == {"lbfgs"}
