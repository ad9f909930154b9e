"""What does not fit together in a spec: every code fires where its example says, and says so in full."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ffspec import api, document
from ffspec import rules as package
from ffspec.codes import Code
from ffspec.diagnostics import Severity
from ffspec.rules import STATIC
from ffspec.rules.planning import CODES as PLANNING
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
