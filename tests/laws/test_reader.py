"""Laws of the reader: whatever is written, it answers within a second, with diagnostics that point into the text."""

from __future__ import annotations

import time
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ffspec import document
from ffspec.diagnostics import Severity
from ffspec.document import Document
from ffspec.source import read
from ffspec.spec.base import to_plain

SPECS = tuple(path.read_text("utf-8") for path in sorted((Path(__file__).parents[2] / "specs").glob("*.yaml")))
SECONDS = 1.0

fragments = st.sampled_from([
    "- ", ": ", ", ", "[", "]", "{", "}", "\n", "\n  ", "\n    ", "? ", "#", " #", "|\n", ">-\n", "'", '"', "\\",
    "\t", "&a ", "*a", "!t ", "<<: ", "---\n", "...\n", "%YAML 1.1\n", "~", "null", "true", "yes", "1", "-1", "1.5",
    "1e-3", ".nan", ".inf", "010", "1_000", "1:30", "1e999", "\x85", "\u2028", "\r", "\ufeff", "\u202e", "日本",
    "e\u0301", "layers", "linear", "relu", "rellu", "dataset", "iris", "blobs", "loss", "bce", "optimizer", "sgd",
    "lr", "training", "epochs", "residual", "repeat", "checks", "test.loss", "prepare", "split",
])  # fmt: skip
yamlish = st.lists(fragments | st.text(max_size=3), max_size=40).map("".join)
keys = st.sampled_from([
    "layers", "0", "1", "-1", "99", "linear", "out_features", "relu", "optimizer", "sgd", "adam", "lr", "training",
    "epochs", "dataset", "blobs", "n_samples", "train", "prepare", "scale", "checks", "test", "loss", "improves",
    "scheduler", "step", "seed", "name", "x",
])  # fmt: skip
words = st.sampled_from([
    "", "x", "3", "-1", "[]", "{}", "[1, {a: b}]", "{relu: 3}", "null", "no", "*a", "&a 1", "!t 2", "'", "{", "]",
    "1e999", ": ", "\t", "\n", "-",
])  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Draw a shipped spec with up to four changes: characters, words, lines, keys."""
    text = draw(st.sampled_from(SPECS))
    for _ in range(draw(st.integers(1, 4))):
        text = draw(st.sampled_from([_edit_character, _replace_word, _swap_lines, _drop_line, _indent_line]))(
            draw, text
        )
    return text


def _edit_character(draw: st.DrawFn, text: str) -> str:
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.characters() | st.just("")) + text[at + draw(st.integers(0, 1)) :]


def _replace_word(draw: st.DrawFn, text: str) -> str:
    pieces = text.split(" ")
    pieces[draw(st.integers(0, len(pieces) - 1))] = draw(words | fragments)
    return " ".join(pieces)


def _swap_lines(draw: st.DrawFn, text: str) -> str:
    lines = text.split("\n")
    i, j = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    lines[i], lines[j] = lines[j], lines[i]
    return "\n".join(lines)


def _drop_line(draw: st.DrawFn, text: str) -> str:
    lines = text.split("\n")
    del lines[draw(st.integers(0, len(lines) - 1))]
    return "\n".join(lines)


def _indent_line(draw: st.DrawFn, text: str) -> str:
    lines = text.split("\n")
    at = draw(st.integers(0, len(lines) - 1))
    lines[at] = draw(st.sampled_from(["  ", " ", "- ", "? ", "# "])) + lines[at]
    return "\n".join(lines)


def answers(opened: Document, start: float) -> None:
    """Assert what holds of every document."""
    rendered = opened.render(opened.diagnostics)
    assert time.process_time() - start < SECONDS
    assert (opened.spec is None) == bool(opened.diagnostics)
    lines = opened.source.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for item in opened.diagnostics:
        assert item.severity is Severity.ERROR
        assert item.message
        assert item.span is not None
        assert item.span.start <= item.span.end
        for place in (item.span.start, item.span.end):
            shown = lines if item.origin is None else item.origin.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            assert 1 <= place.line <= len(shown)
            # A last line's end may be one behind, as may the end of what is missing.
            assert 1 <= place.column <= len(shown[place.line - 1]) + 2
    assert rendered.isprintable() or all(line.isprintable() or not line.isascii() for line in rendered.split("\n"))
    assert rendered.count("\n") <= 4 * len(opened.diagnostics)
    assert bool(rendered) == bool(opened.diagnostics)


@given(st.binary(max_size=300))
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf")
@settings(max_examples=150)
def test_any_bytes_are_answered(tmp_path_factory: object, data: bytes) -> None:
    path = Path(tmp_path_factory.getbasetemp()) / "x.yaml"  # type: ignore[attr-defined]
    path.write_bytes(data)
    start = time.process_time()
    assert read(path).text.count("\0") <= data.count(b"\0")
    answers(document.load(path), start)


@given(yamlish)
@settings(max_examples=300)
def test_any_text_is_answered(text: str) -> None:
    start = time.process_time()
    answers(document.parse(text), start)


@given(mutated())
@settings(max_examples=250)
def test_any_change_of_a_good_spec_is_answered(text: str) -> None:
    start = time.process_time()
    opened = document.parse(text)
    answers(opened, start)
    if opened.spec is not None:
        assert type(opened.spec).model_validate(to_plain(opened.spec)) == opened.spec


@given(
    st.sampled_from(SPECS),
    st.lists(
        st.builds(
            "{}={}".format,
            st.lists(
                keys,
                min_size=1,
                max_size=5,
            ).map(".".join),
            words | yamlish,
        )
        | st.text(max_size=20),
        max_size=3,
    ),
)
@settings(max_examples=150)
def test_any_override_is_answered(text: str, overrides: list[str]) -> None:
    start = time.process_time()
    answers(document.parse(text, overrides=overrides), start)
