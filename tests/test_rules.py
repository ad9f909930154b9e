"""What does not fit together in a spec: every code fires where its example says, and says so in full."""

from __future__ import annotations

import importlib
import pkgutil
import re
from inspect import isabstract
from math import inf
from pathlib import Path
from typing import Any

import pytest
import torch

from ffspec import api, document
from ffspec import rules as package
from ffspec.builder.network import construct
from ffspec.codes import Code
from ffspec.diagnostics import Severity
from ffspec.rules import STATIC, network
from ffspec.rules.outcomes import OUTCOMES
from ffspec.rules.planning import CODES as PLANNING
from ffspec.rules.probes import PROBES
from ffspec.rules.rule import Rule
from ffspec.spec.kinds import Layer
from ffspec.spec.layers import LAYERS, Linear, Parametric
from tests.snippets import whole

CODES = (*PLANNING, *(rule.about for rule in STATIC))


GRAVITY = (Severity.INFO, Severity.WARNING, Severity.ERROR)


def found(part: str, least: Severity) -> set[str]:
    """Return the codes of what is found in a spec made of `part`, of this severity or graver."""
    items = api.diagnose(document.parse(whole(part)))
    return {item.code for item in items if GRAVITY.index(item.severity) >= GRAVITY.index(least)}


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.code)
def test_the_wrong_example_has_this_fault_and_the_right_one_none(code: Code) -> None:
    assert found(code.wrong, code.severity) == {code.code}
    assert found(code.right, min(code.severity, Severity.WARNING, key=GRAVITY.index)) == set()


def test_every_code_in_use_is_explained() -> None:
    root = Path(package.__file__).parents[1]
    files = [root / "planner.py", *(file for file in (root / "spec").glob("*.py") if file.name != "faults.py")]
    used = {code for file in files for code in re.findall(r'"(FF\d{3})"', file.read_text("utf-8"))}
    assert used == {code.code for code in PLANNING}


WIDTHS = """\
dataset: iris
layers:
  - linear: 16
  - linear: {in_features: 8, out_features: 3}
  - relu
  - glu
  - linear: 4
loss: cross_entropy
optimizer: adam
checks:
  improves: test.acc
"""


def test_all_faults_at_once_each_in_its_line() -> None:
    opened = document.parse(WIDTHS, "spec.yaml")
    assert opened.render(api.diagnose(opened)) == (
        "spec.yaml:4:27: error[FF112]: in_features must be 16, the width it receives, found 8\n"
        "    4 |   - linear: {in_features: 8, out_features: 3}\n"
        "      |                           ^ write 16, or leave it out: it is inferred\n"
        "spec.yaml:6:5: warning[FF111]: glu follows relu: one activation between two layers is enough\n"
        "    6 |   - glu\n"
        "      |     ^^^ leave one of them out\n"
        "spec.yaml:7:13: error[FF113]: cross_entropy needs one output for each of the 3 classes, found 4\n"
        "    7 |   - linear: 4\n"
        "      |             ^ write 3, or leave it out: it is inferred\n"
        "spec.yaml:11:13: error[FF025]: must be a split and a measure, such as test.loss, found 'test.acc'\n"
        "   11 |   improves: test.acc\n"
        "      |             ^^^^^^^^ did you mean 'test.accuracy'?\n"
        "3 errors, 1 warning"
    )


def test_an_invalid_layer_hides_no_other_fault() -> None:
    text = "dataset: iris\nlayers: [{linear: 16}, rellu, {linear: 7}]\nloss: cross_entropy\noptimizer: adam\n"
    assert [item.code for item in api.diagnose(document.parse(text))] == ["FF014", "FF113"]


def leaves(kind: type[Rule]) -> set[type[Rule]]:
    """Return all rules that can be applied, imported or not."""
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    found, waiting = set(), [kind]
    while waiting:
        below = waiting.pop().__subclasses__()
        waiting += below
        found |= {one for one in below if not isabstract(one)}
    return found


def test_no_rule_is_forgotten() -> None:
    listed = (*STATIC, *package.data_rules(), *PROBES, *OUTCOMES)
    assert {type(rule) for rule in listed} == leaves(Rule)
    for tuples in (STATIC, package.data_rules(), PROBES, OUTCOMES):
        names = [rule.about.code for rule in tuples]
        assert names == sorted(set(names))


def test_every_rule_says_why_and_from_where() -> None:
    silent = {code.code for code in package.codes() if not (code.title and len(code.reason) > 50 and code.right)}
    assert silent == set()
    assert [rule.about.code for rule in (*PROBES, *OUTCOMES, *package.data_rules()) if not rule.about.source] == []
    rules = [rule.about for rule in STATIC if rule.about.code > "FF1"]
    assert [about.code for about in rules if not about.source] == []


def test_codes_are_unique_and_in_order() -> None:
    names = [code.code for code in package.codes()]
    assert names == sorted(set(names))


def test_every_layer_has_a_role() -> None:
    """A layer that no rule knows would pass for anything; that must be a decision."""
    roles = (
        network.LEARNING | network.ACTIVATIONS | network.NORMALISERS | network.NORMS | network.DROPOUTS
        | network.PARAMETRIC | network.SILENT | network.BLOCKS | network.SCALES | network.UNITS | network.EMBEDDINGS
    )  # fmt: skip
    targets = {
        "ffspec.Residual",
        "ffspec.RidgeResidual",
        "ffspec.NTKLinear",
        "ffspec.MemberScale",
        "ffspec.PBLD",
        "ffspec.Embedding",
    }
    for layer in LAYERS:
        if issubclass(layer, Layer):
            targets.add(made(layer).as_step((4,)).call.target)
    assert targets == roles


@pytest.mark.parametrize("target", sorted(network.ACTIVATIONS | network.NORMALISERS))
def test_the_ranges_of_activations_are_what_torch_returns(target: str) -> None:
    layer = next(kind for kind in LAYERS if issubclass(kind, Layer) and _target(kind) == target)
    step = made(layer).as_step((2,))
    x = torch.cat([torch.linspace(-1e4, 1e4, 2001), torch.linspace(-9, 9, 9001)]).reshape(-1, 1)
    y = construct(step.call).eval()(torch.cat([torch.cat([x, -x], dim=1), torch.cat([x, x], dim=1)]))
    low, high = network.range_of(step)
    assert low - 1e-3 <= y.min() <= (-25.0 if low == -inf else low + 1e-3)
    assert (25.0 if high == inf else high - 1e-3) <= y.max() <= high + 1e-3


def _target(kind: type[Layer]) -> str:
    return made(kind).as_step((2,)).call.target


def made(kind: type[Layer]) -> Layer:
    """Make a layer, with any value for what it cannot do without."""
    needed: dict[str, Any] = {name: 1.0 for name, field in kind.model_fields.items() if field.is_required()}
    special: dict[type[Layer], dict[str, Any]] = {Linear: {"out_features": 4}, Parametric: {"activation": "selu"}}
    return kind(**{**needed, **special.get(kind, {})})
