"""The schema in an editor: the language server that editors run agrees with ffspec about what is wrong, and where.

It is installed by `npm ci --prefix tests/editor`, or named by FFSPEC_YAML_LANGUAGE_SERVER.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ffspec import document
from ffspec.document import Document
from tests.bench.misspelt import SPECS, misspellings, names
from tests.lsp import Client

ROOT = Path(__file__).parents[1]
INSTALLED = ROOT / "tests" / "editor" / "node_modules" / ".bin"
SETTINGS = {"yaml": {"schemaStore": {"enable": False}, "validate": True, "completion": True, "hover": True}}
MODELINE = "# yaml-language-server: $schema=../docs/ffspec.schema.json\n"
"""The first line of the shipped specs; the broken ones are opened as if they lay beside them."""

NOT_SEEN = {
    "epochs_float",  # 10.0: JSON has one kind of number
}
"""Bad files in which a schema can find nothing."""

ELSEWHERE = {
    "epochs_empty",  # nothing stands there: ffspec shows the key, the server what is behind it
    "metric",  # the server looks no further than the first item of a list that is wrong
    "sweep",  # an axis may be of many kinds: the server says of a wrong one no more than that it is none of them
    "two_keys",  # ffspec says once what the form of a component is; the server says it of every key, too
    "type_key",  # as two_keys
}
"""Bad files in which the server points at more, at less, or beside it."""


def broken() -> dict[str, Document]:
    """Return the bad files that are YAML, but no specs, each under a modeline."""
    read = {path.stem: document.load(path).source for path in sorted((ROOT / "tests" / "bad").glob("*.yaml"))}
    opened = {stem: document.parse(MODELINE + source.text) for stem, source in read.items() if not source.diagnostics}
    return {stem: item for stem, item in opened.items() if item.diagnostics}


BROKEN = broken()


def command() -> str:
    """Return the server's command; skip the test where there is none, but not in CI."""
    named = os.environ.get("FFSPEC_YAML_LANGUAGE_SERVER")
    found = named or shutil.which("yaml-language-server", path=INSTALLED)
    if found is None or shutil.which("node") is None:
        message = "no node, or no yaml-language-server: npm ci --prefix tests/editor"
        if "CI" in os.environ:
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def editor() -> Iterator[Client]:
    with Client([command(), "--stdio"], ROOT, SETTINGS) as client:
        yield client


@pytest.fixture(scope="module")
def told(editor: Client) -> dict[str, list[dict[str, Any]]]:
    """Return what the server says of the broken files."""
    uris = {stem: editor.open(beside(stem), opened.source.text) for stem, opened in BROKEN.items()}
    return {stem: editor.diagnostics(uri) for stem, uri in uris.items()}


def beside(stem: str) -> Path:
    return ROOT / "specs" / f"_{stem}.yaml"


def places(told: list[dict[str, Any]], text: str) -> set[tuple[int, int]]:
    """Return the lines and columns the server points at, counted as ffspec counts them.

    It says of a misspelt key that is required that it is missing as well; that is left out.
    """
    strange = any("is not allowed" in item["message"] for item in told)
    kept = [item for item in told if not (strange and item["message"].startswith("Missing property"))]
    return {place(item["range"]["start"], text) for item in kept}


def place(position: dict[str, int], text: str) -> tuple[int, int]:
    """Return a position of the protocol, which counts from 0 and in UTF-16, as line and column."""
    before = text.split("\n")[position["line"]].encode("utf-16-le")[: 2 * position["character"]]
    return position["line"] + 1, len(before.decode("utf-16-le")) + 1


def complete(editor: Client, text: str) -> set[str]:
    """Return what the server offers at the end of a text, less the line break."""
    uri = editor.open(beside(f"completed_{hash(text)}"), MODELINE + text)
    lines = (MODELINE + text).removesuffix("\n").split("\n")
    position = {"line": len(lines) - 1, "character": len(lines[-1])}
    offered = editor.request("textDocument/completion", textDocument={"uri": uri}, position=position)
    return {item["label"] for item in offered["items"]}


def hover(editor: Client, text: str, line: int, character: int) -> str:
    uri = editor.open(beside(f"hovered_{line}"), MODELINE + text)
    position = {"line": line, "character": character}
    shown = editor.request("textDocument/hover", textDocument={"uri": uri}, position=position)
    value = shown["contents"]["value"]
    assert isinstance(value, str)
    return value


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_the_server_finds_nothing_in_the_shipped_specs(editor: Client, spec: Path) -> None:
    text = spec.read_text(encoding="utf-8")
    assert text.startswith(MODELINE)
    assert editor.diagnostics(editor.open(spec, text)) == []


def test_there_is_enough_to_compare() -> None:
    assert len(BROKEN) > 50
    assert BROKEN.keys() > NOT_SEEN | ELSEWHERE


@pytest.mark.parametrize("stem", BROKEN)
def test_the_server_finds_what_is_wrong_where_ffspec_does(told: dict[str, list[dict[str, Any]]], stem: str) -> None:
    opened, found = BROKEN[stem], told[stem]
    assert bool(found) == (stem not in NOT_SEEN)
    ours = {(item.span.start.line, item.span.start.column) for item in opened.diagnostics if item.span is not None}
    same = places(found, opened.source.text) == ours
    assert same == (stem not in NOT_SEEN | ELSEWHERE), (ours, found)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_the_server_points_at_every_misspelt_name_and_at_nothing_else(editor: Client, spec: Path) -> None:
    opened = document.load(spec)
    expected = {}
    # Where the paths of a sweep lead, and so what may stand there, a schema does not know.
    axes = opened.source.places.get(("sweep", "axes"))
    known = [name for name in names(opened) if axes is None or not axes.value.start <= name.start < axes.value.end]
    for index, name in enumerate(known):
        text = name.exchanged(opened.source.text, next(misspellings(name)))
        start = opened.source.position(name.start)
        expected[editor.open(beside(f"{spec.stem}_{index}"), text)] = (text, {(start.line, start.column)})
    for uri, (text, at) in expected.items():
        assert places(editor.diagnostics(uri), text) == at, text


def test_names_and_arguments_are_completed(editor: Client) -> None:
    head = "dataset: iris\nloss: cross_entropy\n"
    assert complete(editor, f"{head}layers: [linear]\noptimizer: \n") >= {"sgd", "adam", "adamw", "lbfgs"}
    offered = complete(editor, f"{head}layers: [linear]\noptimizer:\n  adam:\n    lr: 0.1\n    \n")
    assert offered == {"betas", "eps", "weight_decay", "amsgrad", "groups"}
    assert complete(editor, f"{head}optimizer: adam\nlayers:\n  - \n") >= {"linear", "relu", "threshold", "repeat"}
    offered = complete(editor, f"{head}optimizer: adam\nlayers:\n  - linear:\n      \n")
    assert offered == {"out_features", "in_features", "bias", "init", "bias_init", "parametrization"}
    assert complete(editor, f"{head}optimizer: adam\nlayers: [linear]\n\n") >= {
        "training",
        "scheduler",
        "checks",
        "seed",
    }
    assert complete(editor, "dataset:\n  b\n") >= {"blobs", "breast_cancer", "split", "prepare"}


def test_hovering_explains_a_key(editor: Client) -> None:
    text = "dataset: iris\nlayers:\n  - linear: 3\nloss: cross_entropy\noptimizer:\n  adam:\n    lr: 0.1\n"
    assert "The learning rate." in hover(editor, text, 7, 5)
    assert "#### adam" in hover(editor, text, 6, 4)
    assert "torch.nn.Linear" in hover(editor, text, 3, 6)
    assert "The network, first layer first." in hover(editor, text, 2, 2)
