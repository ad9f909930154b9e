"""What other programs read: the JSON object, SARIF, workflow commands, and the hook that runs the check."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft4Validator

from ffspec import __version__, api, document
from ffspec.cli import command
from ffspec.codes import CODES, Code, explanation
from ffspec.diagnostics import Diagnostic, Patch, Position, Severity, Span
from ffspec.formats import to_github, to_json, to_sarif

ROOT = Path(__file__).parents[1]
BAD = ROOT / "tests" / "bad"
KNOWN = {code.code: code for code in CODES}
SCHEMA = json.loads((ROOT / "tests" / "data" / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))

KEY = Span(Position(13, 3), Position(13, 8))
FAULT = Diagnostic(
    code="FF012",
    message="unknown key 'epoch'",
    path=("training", "epoch"),
    span=KEY,
    hint="did you mean 'epochs'?",
    patch=Patch(KEY, "epochs", safe=True),
)
RANGE = {"start": {"line": 13, "column": 3}, "end": {"line": 13, "column": 8}}
REGION = {"startLine": 13, "startColumn": 3, "endLine": 13, "endColumn": 8}
PLACELESS = Diagnostic(code="FF001", message="cannot read the spec")
OVERRIDE = replace(FAULT, origin="--set training.epoch=3", patch=None)


def sarif(results: Sequence[tuple[str, Sequence[Diagnostic]]], codes: dict[str, Code] | None = None) -> Any:
    """Return the run of a log that follows the standard's schema."""
    log = to_sarif(results, KNOWN if codes is None else codes)
    Draft4Validator(SCHEMA).validate(log)
    json.dumps(log, allow_nan=False)
    [run] = log["runs"]
    return run


def uri(file: str) -> str:
    [result] = sarif([(file, [FAULT])])["results"]
    [location] = result["locations"]
    found = location["physicalLocation"]["artifactLocation"]["uri"]
    assert isinstance(found, str)
    return found


def test_json() -> None:
    assert to_json([FAULT], file="x.yaml") == {
        "version": 1,
        "file": "x.yaml",
        "diagnostics": [
            {
                "code": "FF012",
                "severity": "error",
                "message": "unknown key 'epoch'",
                "help": "did you mean 'epochs'?",
                "url": None,
                "path": ["training", "epoch"],
                "range": RANGE,
                "fix": {"range": RANGE, "text": "epochs", "safe": True},
            }
        ],
    }
    assert to_json([], file="x.yaml") == {"version": 1, "file": "x.yaml", "diagnostics": []}


def test_json_of_an_override_and_of_no_place() -> None:
    [override] = to_json([OVERRIDE], file="x")["diagnostics"]
    assert override["origin"] == "--set training.epoch=3"
    assert override["fix"] is None
    [placeless] = to_json([PLACELESS], file="x")["diagnostics"]
    assert placeless["range"] is None
    json.dumps([override, placeless], allow_nan=False)


def test_sarif() -> None:
    run = sarif([("specs/x.yaml", [FAULT])])
    code = KNOWN["FF012"]
    assert run == {
        "tool": {
            "driver": {
                "name": "ffspec",
                "version": __version__,
                "rules": [
                    {
                        "id": "FF012",
                        "shortDescription": {"text": code.title},
                        "fullDescription": {"text": code.reason},
                        "help": {"text": explanation(code)},
                        "defaultConfiguration": {"level": "error"},
                    }
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            {
                "ruleId": "FF012",
                "ruleIndex": 0,
                "level": "error",
                "message": {"text": "unknown key 'epoch'; did you mean 'epochs'?"},
                "locations": [
                    {"physicalLocation": {"artifactLocation": {"uri": "specs/x.yaml"}, "region": REGION}},
                ],
                "fixes": [
                    {
                        "description": {"text": "did you mean 'epochs'?"},
                        "artifactChanges": [
                            {
                                "artifactLocation": {"uri": "specs/x.yaml"},
                                "replacements": [{"deletedRegion": REGION, "insertedContent": {"text": "epochs"}}],
                            }
                        ],
                    }
                ],
            }
        ],
    }


def test_sarif_of_nothing() -> None:
    run = sarif([("x.yaml", [])])
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_each_result_of_sarif_points_at_its_rule() -> None:
    strange = Diagnostic(code="FF999", message="m", severity=Severity.WARNING)
    run = sarif([("a.yaml", [FAULT, strange]), ("b.yaml", [replace(PLACELESS, severity=Severity.INFO), FAULT])])
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["FF001", "FF012", "FF999"]
    assert rules[2] == {"id": "FF999"}
    assert [(rules[item["ruleIndex"]]["id"], item["level"]) for item in run["results"]] == [
        ("FF012", "error"),
        ("FF999", "warning"),
        ("FF001", "note"),
        ("FF012", "error"),
    ]


def test_sarif_of_an_override_and_of_no_place() -> None:
    override, placeless = sarif([("x.yaml", [OVERRIDE, PLACELESS])])["results"]
    whole = [{"physicalLocation": {"artifactLocation": {"uri": "x.yaml"}}}]
    assert (override["locations"], placeless["locations"]) == (whole, whole)
    assert override["message"]["text"] == ("--set training.epoch=3: unknown key 'epoch'; did you mean 'epochs'?")


def test_braces_that_sarif_would_fill_are_escaped_and_no_others() -> None:
    fault = replace(FAULT, message="found '{0}'", hint="write linear: {bias: false}")
    [result] = sarif([("x.yaml", [fault])])["results"]
    assert result["message"]["text"] == "found '{{0}}'; write linear: {bias: false}"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("specs/x.yaml", "specs/x.yaml"),
        ("./specs/x.yaml", "specs/x.yaml"),
        ("../x.yaml", "../x.yaml"),
        ("my specs/100%#?.yaml", "my%20specs/100%25%23%3F.yaml"),
        ("c:x.yaml", "c%3Ax.yaml"),
        ("é日.yaml", "%C3%A9%E6%97%A5.yaml"),
        ("\udcff.yaml", "%FF.yaml"),
    ],
)
def test_uris(file: str, expected: str) -> None:
    assert uri(file) == expected


def test_uris_of_absolute_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert uri(str(tmp_path / "specs" / "x.yaml")) == "specs/x.yaml"
    assert uri(str(tmp_path.parent / "x.yaml")) == (tmp_path.parent / "x.yaml").as_uri()


def test_github() -> None:
    warning = replace(FAULT, severity=Severity.WARNING, hint=None)
    lines = to_github([("specs/x.yaml", [FAULT, warning]), ("y.yaml", [replace(PLACELESS, severity=Severity.INFO)])])
    place = "file=specs/x.yaml,line=13,endLine=13,col=3,endColumn=8,title=FF012"
    assert lines.split("\n") == [
        f"::error {place}::unknown key 'epoch'; did you mean 'epochs'?",
        f"::warning {place}::unknown key 'epoch'",
        "::notice file=y.yaml,title=FF001::cannot read the spec",
    ]
    assert to_github([("x.yaml", [])]) == ""


def test_github_of_an_override() -> None:
    expected = "::error file=x.yaml,title=FF012::--set training.epoch=3: unknown key 'epoch'; did you mean 'epochs'?"
    assert to_github([("x.yaml", [OVERRIDE])]) == expected


def test_github_gives_no_columns_where_lines_differ() -> None:
    fault = replace(FAULT, span=Span(Position(2, 5), Position(4, 1)), hint=None)
    assert to_github([("x", [fault])]) == "::error file=x,line=2,endLine=4,title=FF012::unknown key 'epoch'"


def test_github_is_escaped() -> None:
    fault = Diagnostic(code="FF013", message="50%:\r\n::error::a,b\x1b[31m")
    assert to_github([("a:b,c%.yaml", [fault])]) == (
        "::error file=a%3Ab%2Cc%25.yaml,title=FF013::50%25:%0D%0A::error::a,b[31m"
    )


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_whatever_is_found_can_be_written(path: Path) -> None:
    found = api.diagnose(document.load(path))
    results = sarif([(str(path), found)])["results"]
    assert [item["ruleId"] for item in results] == [item.code for item in found]
    commands = to_github([(str(path), found)]).splitlines()
    assert [item.code for item in found] == [
        match[1] for line in commands if (match := re.match(r"::\w+ [^:\s]+,title=(FF\d{3})::\S", line))
    ]


def test_the_hook_runs_a_command_there_is() -> None:
    [hook] = HOOKS
    assert hook.keys() >= {"id", "name", "description", "entry", "language", "files", "types"}
    assert (hook["id"], hook["language"], hook["types"]) == ("ffspec-check", "python", ["yaml"])
    script, name = hook["entry"].split()
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'{script} = "ffspec.__main__:main"' in project
    assert name in command.commands


def test_the_hook_looks_at_specs_and_at_nothing_else() -> None:
    pattern = re.compile(HOOKS[0]["files"])
    shipped = [path.relative_to(ROOT).as_posix() for path in (ROOT / "specs").iterdir() if path.suffix != ".parquet"]
    assert {Path(name).suffix for name in shipped if pattern.search(name)} == {".yaml"}
    assert pattern.search("specs/nets/a.yml")
    assert not pattern.search("docs/specs/a.yaml")
