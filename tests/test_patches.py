"""Patches: whole texts before and after an edit, in many layouts; patches applied, shown and written."""

from __future__ import annotations

import os
import stat
from pathlib import Path as File
from typing import Any

import pytest

from ffspec import document
from ffspec.diagnostics import Diagnostic, Edit, Patch, Path, Position, Span, StorageError
from ffspec.patches import apply, diff, patch, write
from ffspec.source import parse
from ffspec.spec import grammar


def sole(path: Path) -> str | None:
    return grammar.sole_of(grammar.at(path))


def edited(text: str, action: Any, path: Path, value: Any = None) -> str | None:
    """Return a text after an edit, or None where there is no patch for it."""
    found = patch(parse(text, "x"), Edit(action=action, path=path, value=value), sole)
    return None if found is None else apply(text, [found])


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        # Lines.
        ("a: 1\nb: 2\n", ("a",), "b: 2\n"),
        ("a: 1\nb: 2\n", ("b",), "a: 1\n"),
        ("a: 1\nb: 2", ("b",), "a: 1\n"),
        ("a: 1\r\nb: 2\r\nc: 3", ("b",), "a: 1\r\nc: 3"),
        ("# x\na: 1  # y\n\n# z\nb: 2\n", ("a",), "# x\n\n# z\nb: 2\n"),
        ("a:  # x\n  # y\n  b: 1  # z\n# w\nc: 2\n", ("a",), "# w\nc: 2\n"),
        ("l:\n  - a\n  - b  # x\n  # y\n  - c\n", ("l", 1), "l:\n  - a\n  # y\n  - c\n"),
        ("l:\n- a\n- b\nm: 1\n", ("l", 1), "l:\n- a\nm: 1\n"),
        ("l:\n  - linear: 8\n  - dropout: 0.5\n  - relu\n", ("l", 1), "l:\n  - linear: 8\n  - relu\n"),
        ("l:\n  - linear:\n      a: 1\n      b: 2\n  - relu\n", ("l", 0), "l:\n  - relu\n"),
        ("l:\n  -\n    # x\n    a: 1\n  - b\n", ("l", 0), "l:\n  - b\n"),
        ("l:\n  -\n  - b\n  -\n", ("l", 2), "l:\n  -\n  - b\n"),
        ("a: |\n  x\n  y\n\nb: 1\n", ("a",), "\nb: 1\n"),
        ("a: >-\n  x\n  # no comment\nb: 1\n", ("a",), "b: 1\n"),
        ("a: 'x\n  y'  # c\nb: 1\n", ("a",), "b: 1\n"),
        ("a: |+\n  x\nb: 1\n\nc: 2\n", ("b",), "a: |+\n  x\nc: 2\n"),
        ("a:\nb: 1\n", ("a",), "b: 1\n"),
        # What begins behind a dash.
        ("l:\n  - - a\n    - b\n  - c\n", ("l", 0, 0), "l:\n  - - b\n  - c\n"),
        ("l:\n  - - a\n    - b\n  - c\n", ("l", 0, 1), "l:\n  - - a\n  - c\n"),
        ("l:\n  - - a\n    - b\n  - c\n", ("l", 0), "l:\n  - c\n"),
        ("l:\n  - a: 1  # x\n    b: 2\n", ("l", 0, "a"), "l:\n  - b: 2\n"),
        ("l:\n  - a: 1\n    # x\n    b: 2\n", ("l", 0, "a"), "l:\n  -\n    # x\n    b: 2\n"),
        # Brackets.
        ("l: [a, b, c]\n", ("l", 0), "l: [b, c]\n"),
        ("l: [a, b, c]\n", ("l", 1), "l: [a, c]\n"),
        ("l: [a, b, c]  # x\n", ("l", 2), "l: [a, b]  # x\n"),
        ("l: [a, b, ]\n", ("l", 1), "l: [a, ]\n"),
        ("{a: 1, b: 2}\n", ("a",), "{b: 2}\n"),
        ("m: {a, b: , c: {d: 1}}\n", ("m", "b"), "m: {a, c: {d: 1}}\n"),
        ("m: {a, b: , c: {d: 1}}\n", ("m", "c"), "m: {a, b:}\n"),
        ("l: [a: 1, b]\n", ("l", 0), "l: [b]\n"),
        ("l: [\n  a,  # x\n  # y\n  b,  # z\n  c   # w\n]\n", ("l", 1), "l: [\n  a,  # x\n  # y\n  c   # w\n]\n"),
        ("l: [\n  a,  # x\n  b   # y\n]\n", ("l", 1), "l: [\n  a,  # x\n]\n"),
        ("l: [\n  a,\n  b,\n]\n", ("l", 0), "l: [\n  b,\n]\n"),
        ("l: [a, b,\n    c, d]\n", ("l", 1), "l: [a,\n    c, d]\n"),
        ("l: [a, b,\n    c, d]\n", ("l", 2), "l: [a, b,\n    d]\n"),
        ("l: [a, b,  # x\n    c]\n", ("l", 1), "l: [a,  # x\n    c]\n"),
        ("l: [a, b,  # x\n    c]\n", ("l", 2), "l: [a, b,  # x\n    ]\n"),
        ("l: [a,\n    b]\n", ("l", 0), "l: [b]\n"),
        ("l: [a  # x\n  , b  # y\n  , c]\n", ("l", 2), "l: [a  # x\n  , b  # y\n  , ]\n"),
    ],
)  # fmt: skip
def test_remove(text: str, path: Path, expected: str) -> None:
    assert edited(text, "remove", path) == expected


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("a: 1  # x\n", ("a",), 2, "a: 2  # x\n"),
        ("a: no\n", ("a",), False, "a: false\n"),
        ("a: 1e-3\n", ("a",), 1e-05, "a: 1.0e-05\n"),
        ("a:\nb: 1\n", ("a",), 2, "a: 2\nb: 1\n"),
        ("a:  # x\n", ("a",), 2, "a: 2  # x\n"),
        ("l:\n  -  # x\n", ("l", 0), "a", "l:\n  - a  # x\n"),
        ("m: {a, b: }\n", ("m", "a"), 1, "m: {a: 1, b: }\n"),
        ("m: {\n  a  # x\n}\n", ("m", "a"), 1, "m: {\n  a: 1  # x\n}\n"),
        ("m: {a, b: }\n", ("m", "b"), 1, "m: {a, b: 1 }\n"),
        ("a: 'x'\n", ("a",), "y", "a: 'y'\n"),
        ("a: x\n", ("a",), "no", "a: 'no'\n"),
        ("a: x\n", ("a",), "it's: 1", "a: 'it''s: 1'\n"),
        ("a: x\n", ("a",), "x\ny\x85", 'a: "x\\x0ay\\x85"\n'),
        ("a: |\n  x\n  y\n\n# z\nb: 1\n", ("a",), None, "a: null\n\n# z\nb: 1\n"),
        ("a:\n  - 1  # x\n  - 2  # y\nb: 1\n", ("a",), (1, 2), "a: [1, 2]  # y\nb: 1\n"),
        ("a:  # x:\n  - 1\n", ("a",), [], "a:  # x:\n  []\n"),
        ("l:\n  - linear:\n      a: 1\n  - b\n", ("l", 0), {"a": {"b c": None}}, "l:\n  - {a: {b c: null}}\n  - b\n"),
        ("l: [a, [b,\n  c]]\n", ("l", 1), True, "l: [a, true]\n"),
        # An argument that stands alone.
        ("optimizer: {sgd: 0.1}\n", ("optimizer", "sgd", "lr"), 0.01, "optimizer: {sgd: 0.01}\n"),
        (
            "layers:\n  - residual: [relu]\n",
            ("layers", 0, "residual", "layers", 0),
            "gelu",
            "layers:\n  - residual: [gelu]\n",
        ),
    ],
)
def test_replace(text: str, path: Path, value: Any, expected: str) -> None:
    assert edited(text, "replace", path, value) == expected


@pytest.mark.parametrize(
    ("text", "path", "name", "expected"),
    [
        ("learning_rate: 1  # x\n", ("learning_rate",), "lr", "lr: 1  # x\n"),
        ("{units: 1, b: 2}\n", ("units",), "out_features", "{out_features: 1, b: 2}\n"),
        ('{"a":1}\n', ("a",), "b", '{"b":1}\n'),
        ("{'it''s': 1}\n", ("it's",), "its", "{'its': 1}\n"),
        ("m: {a, b}\n", ("m", "b"), "c", "m: {a, c}\n"),
        ("? a\n: 1\n", ("a",), "b", "? b\n: 1\n"),
        ("a: 1\n", ("a",), "no", "'no': 1\n"),
        ("loss: bce\n", ("loss", "bce"), "mse", "loss: mse\n"),
        ("loss: {bce: {reduction: sum}}\n", ("loss", "bce"), "mse", "loss: {mse: {reduction: sum}}\n"),
        ("l:\n  - ReLU  # x\n", ("l", 0, "ReLU"), "relu", "l:\n  - relu  # x\n"),
        ("l:\n  - ReLU  # x\n", ("l", 0), "relu", "l:\n  - relu  # x\n"),
        ("l: ['ReLU']\n", ("l", 0), "relu", "l: ['relu']\n"),
        ("l:\n  - Dense: 8\n", ("l", 0, "Dense"), "linear", "l:\n  - linear: 8\n"),
    ],
)
def test_rename(text: str, path: Path, name: str, expected: str) -> None:
    assert edited(text, "rename", path, name) == expected


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("l:\n  - a  # x\n  - b\n", ("l", 0), "c", "l:\n  - a  # x\n  - c\n  - b\n"),
        ("l:\n  - a", ("l", 0), "c", "l:\n  - a\n  - c"),
        ("l:\r\n- a\r\nm: 1\r\n", ("l", 0), "c", "l:\r\n- a\r\n- c\r\nm: 1\r\n"),
        ("l:\n  - a: 1\n    b: 2\n  - c\n", ("l", 0), {"d": 1}, "l:\n  - a: 1\n    b: 2\n  - {d: 1}\n  - c\n"),
        ("l:\n  - a: 1\n    # b: 2\n  # x\n  - c\n", ("l", 0), "d", "l:\n  - a: 1\n    # b: 2\n  - d\n  # x\n  - c\n"),
        ("l:\n  - - a\n    - b\n", ("l", 0, 0), "c", "l:\n  - - a\n    - c\n    - b\n"),
        ("l:\n  - - a\n    - b\n", ("l", 0), "c", "l:\n  - - a\n    - b\n  - c\n"),
        ("l:\n  - |\n    x\n\n  - b\n", ("l", 0), "c", "l:\n  - |\n    x\n  - c\n\n  - b\n"),
        ("l:\n  - |+\n    x\n\n  - b\n", ("l", 0), "c", "l:\n  - |+\n    x\n\n  - c\n  - b\n"),
        ("l: [a, b]\n", ("l", 0), "c", "l: [a, c, b]\n"),
        ("l: [a, b]\n", ("l", 1), [1], "l: [a, b, [1]]\n"),
        ("l: [\n  a,  # x\n]\n", ("l", 0), "c", "l: [\n  a, c,  # x\n]\n"),
    ],
)
def test_insert(text: str, path: Path, value: Any, expected: str) -> None:
    assert edited(text, "insert", path, value) == expected


LINEAR = ("layers", 0, "linear", "bias")


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("layers:\n  - linear: 8  # x\n", LINEAR, False, "layers:\n  - linear: {out_features: 8, bias: false}  # x\n"),
        ("layers: [linear: 64]\n", LINEAR, False, "layers: [linear: {out_features: 64, bias: false}]\n"),
        ("layers:\n  - linear\n", LINEAR, False, "layers:\n  - linear: {bias: false}\n"),
        ("layers: [linear, relu]\n", LINEAR, False, "layers: [{linear: {bias: false}}, relu]\n"),
        ("layers:\n  - linear:  # x\n", LINEAR, False, "layers:\n  - linear: {bias: false}  # x\n"),
        ("layers: [{linear}]\n", LINEAR, False, "layers: [{linear: {bias: false}}]\n"),
        ("layers: [{linear: {}}]\n", LINEAR, False, "layers: [{linear: {bias: false}}]\n"),
        ("layers: [{linear: {bias: true}}]\n", LINEAR, False, "layers: [{linear: {bias: false}}]\n"),
        ("layers: [linear: {init: ones}]\n", LINEAR, False, "layers: [linear: {init: ones, bias: false}]\n"),
        ("layers:\n  - linear: 64\n", (*LINEAR[:-1], "out_features"), 8, "layers:\n  - linear: 8\n"),
        (
            "layers:\n  - linear:\n      out_features: 8  # x\n  - relu\n",
            LINEAR,
            False,
            "layers:\n  - linear:\n      out_features: 8  # x\n      bias: false\n  - relu\n",
        ),
        (
            "layers:\n  - residual: [linear,\n      relu]\n",
            ("layers", 0, "residual", "x"),
            1,
            "layers:\n  - residual: {layers: [linear,\n      relu], x: 1}\n",
        ),
        ("loss: cross_entropy\n", ("loss", "cross_entropy", "a"), 0.1, "loss: {cross_entropy: {a: 0.1}}\n"),
        ("optimizer: {sgd: 1e-3}\n", ("optimizer", "sgd", "x"), 1, "optimizer: {sgd: {lr: 1e-3, x: 1}}\n"),
        ("dataset:\n  csv: 'a, b'\n", ("dataset", "csv", "x"), 1, "dataset:\n  csv: {path: 'a, b', x: 1}\n"),
        ("dataset:\n  csv: a, b\n", ("dataset", "csv", "x"), 1, "dataset:\n  csv: {path: 'a, b', x: 1}\n"),
        ("l: [a: 1]\n", ("l", 0, "b"), 2, "l: [{a: 1, b: 2}]\n"),
        ("m: {a: 1,\n  b: 2,  # x\n  }\n", ("m", "c"), 3, "m: {a: 1,\n  b: 2, c: 3,  # x\n  }\n"),
        ("m: {}\nn: 1\n", ("m", "a"), "no", "m: {a: 'no'}\nn: 1\n"),
        ("training:\n  epochs: 5\nseed: 0\n", ("training", "a"), 1, "training:\n  epochs: 5\n  a: 1\nseed: 0\n"),
        ("seed: 0\n", ("training", "batch_size"), 16, "seed: 0\ntraining: {batch_size: 16}\n"),
        ("seed: 0", ("training", "batch_size"), 16, "seed: 0\ntraining: {batch_size: 16}"),
        ("a: 1\r\nb:\r\n  - 2\r\n# x\r\n", ("c",), 3, "a: 1\r\nb:\r\n  - 2\r\n# x\r\nc: 3\r\n"),
        ("a: 1\n\n\n", ("c",), 3, "a: 1\nc: 3\n\n\n"),
        ("a: |+\n  x\n\n", ("c",), 3, "a: |+\n  x\n\nc: 3\n"),
        ("---\na: 1\n...\n", ("c",), 3, "---\na: 1\nc: 3\n...\n"),
        ("{a: 1}\n", ("c", "d"), 3, "{a: 1, c: {d: 3}}\n"),
        ("training:\n", ("training", "a", "b"), 3, "training: {a: {b: 3}}\n"),
    ],
)  # fmt: skip
def test_set(text: str, path: Path, value: Any, expected: str) -> None:
    assert edited(text, "set", path, value) == expected


@pytest.mark.parametrize(
    ("text", "action", "path", "value"),
    [
        ("a: 1\n", "remove", (), None),
        ("a: 1\n", "remove", ("a",), None),
        ("a: 1\n", "remove", ("b",), None),
        ("l: [a]\nm: 1\n", "remove", ("l", 0), None),
        ("l: [a]\nm: 1\n", "remove", ("l", 1), None),
        ("? a\n: 1\n? b\n: 2\n", "remove", ("a",), None),
        ("? a\n: 1\n? b\n: 2\n", "remove", ("b",), None),
        ("l: [a  # x\n  , b]\n", "remove", ("l", 0), None),  # the comment may be of the list
        ("a: 1\na: 2\nb: 3\n", "remove", ("a",), None),  # the other would count then
        ("layers:\n  - linear: 8\n  - relu\n", "remove", ("layers", 0, "linear", "out_features"), None),
        ("layers:\n  - linear: 8\n", "rename", ("layers", 0, "linear", "out_features"), "bias"),
        ("a: 1\nb: 2\n", "rename", ("a",), "b"),
        ("l: [1]\n", "rename", ("l", 0), "b"),
        ("loss: bce\n", "rename", ("loss", "mse"), "l1"),
        ("a: 1\n", "insert", ("a",), 1),
        ("l: [a]\n", "insert", ("l", 1), 1),
        ("a: 1\n", "replace", ("b",), 1),
        ("a: 1\n", "replace", ("a",), float("nan")),
        ("a: 1\n", "replace", ("a",), "\ud800"),
        ("a: [\n", "replace", ("a",), 2),
        ("a: 1\n", "set", ("a", "b"), 2),
        ("a: 1\n", "set", ("b", "c", "d"), 2),
        ("loss: bce\n", "set", ("loss", "mse", "a"), 2),
        ("layers:\n  - residual:\n      - relu\n", "set", ("layers", 0, "residual", "x"), 1),
    ],
)
def test_no_patch(text: str, action: str, path: Path, value: Any) -> None:
    assert edited(text, action, path, value) is None


def test_a_patch_is_as_safe_as_its_edit() -> None:
    source = parse("a: 1\n", "x")
    span = Span(Position(1, 4), Position(1, 5))
    for safe in (True, False):
        assert patch(source, Edit(action="replace", path=("a",), value=2, safe=safe)) == Patch(span, "2", safe)


SPEC = """\
dataset: iris
layers:
  - linear: 8    # wide enough
  - relu
loss: cross_entropy
optimizer: {sgd: {lr: 0.1}}
training: {epochs: 5}
"""


@pytest.mark.parametrize(
    ("good", "written", "mended", "safe"),
    [
        ("relu", "ReLU", "relu", True),
        ("relu", "rellu", "relu", True),
        ("relu", "relu7", "relu", False),
        ("relu", "norm", "layer_norm", False),
        ("linear: 8", "Dense: 8", "linear: 8", True),
        ("linear: 8", "linear: {units: 8}", "linear: {out_features: 8}", True),
        ("linear: 8", "linear: {out_featurs: 8, size: 1}", "linear: {out_features: 8, size: 1}", True),
        ("linear: 8", "linear: '8'", "linear: 8", True),
        ("linear: 8", "linear: 8.0", "linear: 8", True),
        ("{lr: 0.1}", "{learning_rate: 0.1}", "{lr: 0.1}", True),
        ("{lr: 0.1}", "{rate: 0.1}", "{lr: 0.1}", False),
        ("{lr: 0.1}", "'1e-1'", "0.1", True),
        ("cross_entropy", "CrossEntropyLoss", "cross_entropy", True),
        ("cross_entropy", "{CrossEntropyLoss: }", "{cross_entropy: }", True),
        ("training", "Training", "training", True),
        ("epochs: 5", "epochs: 10.0", "epochs: 10", True),
        ("epochs: 5", "epochs: 1_000", "epochs: 1000", True),
        ("epochs: 5", "epochs: 1:30", "epochs: 90", False),
        ("epochs: 5", "shuffle: no", "shuffle: false", True),
        ("epochs: 5", "shuffle: 'true'", "shuffle: true", True),
        ("epochs: 5", "shuffle: 0", "shuffle: false", True),
        ("epochs: 5", "batch_size: alll", "batch_size: all", True),
        ("epochs: 5", "batch_size: full", "batch_size: all", False),
        ("epochs: 5", "precision: flaot32", "precision: float32", True),
    ],
)
def test_a_fault_of_a_spec_comes_with_its_patch(good: str, written: str, mended: str, safe: bool) -> None:
    text = SPEC.replace(good, written, 1)
    found = document.parse(text).diagnostics[0]
    assert found.patch is not None
    assert found.patch.safe is safe
    assert apply(text, [found.patch]) == SPEC.replace(good, mended, 1)


@pytest.mark.parametrize("written", ["linear: {seed: 1}", "type: relu", "linear: {bias: 3}", "convolution"])
def test_a_fault_without_one_answer_has_no_patch(written: str) -> None:
    [found] = document.parse(SPEC.replace("linear: 8", written)).diagnostics
    assert found.patch is None


@pytest.mark.parametrize(
    ("override", "patched"),
    [("seed=1", True), ("training.epochs=1", True), ("layers=[relu]", False), ("layers.1.relu.inplace=1", False)],
)
def test_what_an_override_says_is_not_mended_in_the_file(override: str, patched: bool) -> None:
    opened = document.parse(SPEC, overrides=[override])
    edit = Edit(action="remove", path=("layers", 1))
    found = opened.locate(Diagnostic(code="FF999", message="m", path=("loss",), edit=edit))
    assert found.span is not None
    assert (found.patch is not None) is patched


def at(line: int, start: int, end: int, text: str) -> Patch:
    return Patch(Span(Position(line, start), Position(line, end)), text, safe=True)


@pytest.mark.parametrize(
    ("text", "patches", "expected"),
    [
        ("abc\n", [], "abc\n"),
        ("abc\n", [at(1, 3, 4, "z"), at(1, 1, 2, "xy")], "xybz\n"),
        ("abc\n", [at(1, 1, 3, "x"), at(1, 2, 4, "y")], "xc\n"),
        ("abc\n", [at(1, 1, 2, "x"), at(1, 2, 3, "y")], "xyc\n"),
        ("abc\n", [at(1, 2, 2, "x"), at(1, 2, 2, "y")], "axbc\n"),
        ("abc\n", [at(1, 1, 2, ""), at(1, 2, 2, "y")], "bc\n"),
        ("abc\n", [at(1, 2, 2, "x"), at(1, 2, 3, "")], "axbc\n"),
        ("a\r\nb\rc\nd", [at(2, 1, 2, "x"), at(3, 1, 1, "y"), at(4, 2, 2, "\n")], "a\r\nx\ryc\nd\n"),
        ("\ufeff😀a\x85b", [at(1, 1, 2, "x"), at(1, 4, 5, "y")], "\ufeffxa\x85y"),
    ],
)
def test_apply(text: str, patches: list[Patch], expected: str) -> None:
    assert apply(text, patches) == expected


def test_diff() -> None:
    assert diff("x", "a\n", "a\n") == ""
    old = "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6"
    assert diff("specs/x.yaml", old, old.replace("b: 2\n", "") + "\n") == (
        "--- specs/x.yaml\n+++ specs/x.yaml\n@@ -1,6 +1,5 @@\n a: 1\n-b: 2\n c: 3\n d: 4\n e: 5\n"
        "-f: 6\n\\ No newline at end of file\n+f: 6\n"
    )
    assert diff("x", "", "a\r\nb\x85c\n") == "--- x\n+++ x\n@@ -0,0 +1,2 @@\n+a\r\n+b\x85c\n"


def test_write(tmp_path: File) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\n")
    path.chmod(0o640)
    write(path, "ä: 2\r\n")
    assert path.read_bytes() == "ä: 2\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["b: 2\n", "\ufeffb: 2\n"])
def test_a_byte_order_mark_stays(tmp_path: File, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    write(str(path), text)
    assert path.read_bytes() == b"\xef\xbb\xbfb: 2\n"


def test_a_link_stays_a_link(tmp_path: File) -> None:
    target, link = tmp_path / "inner" / "x.yaml", tmp_path / "x.yaml"
    target.parent.mkdir()
    target.write_text("a: 1\n")
    link.symlink_to(File("inner", "x.yaml"))
    write(link, "a: 2\n")
    assert link.is_symlink()
    assert target.read_text() == "a: 2\n"


def test_what_cannot_be_written(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match=r"^cannot write .*none\.yaml: No such file or directory$"):
        write(tmp_path / "none.yaml", "")
    with pytest.raises(StorageError, match=r": Is a directory$"):
        write(tmp_path, "")

    def fail(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "x.yaml"
    path.write_text("a: 1\n")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(StorageError, match=r"^cannot write .*x\.yaml: No space left on device$"):
        write(path, "a: 2\n")
    assert path.read_text() == "a: 1\n"
    assert list(tmp_path.iterdir()) == [path]
