"""The reader of YAML text: values, places, and faults."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from ffspec.events import MAX_DEPTH
from ffspec.scalars import MAX_DIGITS, Unreadable, meant, resolve
from ffspec.source import MAX_BYTES, MAX_FAULTS, MAX_LINES, MAX_NODES, Source, parse, parse_value, read
from ffspec.syntax import COMPLAINTS


def value(text: str) -> object:
    source = parse_value(text, "x")
    assert source.diagnostics == ()
    return source.value


def faults(text: str) -> list[tuple[str, str]]:
    """Return code and place of what is wrong with a text."""
    found = parse_value(text, "x").diagnostics
    return [(item.code, f"{item.span.start.line}:{item.span.start.column}") for item in found if item.span]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[(word, None) for word in ("~", "null", "Null", "NULL", "")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        ("0", 0),
        ("-0", 0),
        ("12", 12),
        ("+12", 12),
        ("-12", -12),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("1e-3", 1e-3),
        ("1E+3", 1000.0),
        ("0.0", 0.0),
        ("0e9", 0.0),
        ("01.5", 1.5),
        *[
            (word, word)
            for word in (
                "yes",
                "no",
                "on",
                "off",
                "y",
                "N",
                "1_000",
                "1:30",
                "2024-01-01",
                "0b11",
                "1e",
                "e3",
                ".",
                "-",
                "+",
                "nan",
                "inf",
                "tRUE",
                "0o8",
                "1.2.3",
                "relu",
                "<<",
            )
        ],
    ],
)
def test_core_scalars(text: str, expected: object) -> None:
    found = resolve(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text",
    [
        ".nan",
        ".NaN",
        ".inf",
        "-.INF",
        "+.inf",
        "1e999",
        "-1e999",
        "1e-999",
        "010",
        "-007",
        "00",
        "08",
        "9" * (MAX_DIGITS + 1),
        "0x" + "f" * MAX_DIGITS,
        "0." + "1" * 500,
    ],
)
def test_numbers_that_are_refused(text: str) -> None:
    assert isinstance(resolve(text), Unreadable)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", True),
        ("Off", False),
        ("n", False),
        ("1_000", 1000),
        ("1_0.5", 10.5),
        ("1:30", 90),
        ("-1:00:01", -3601),
        ("1:99", "1:99"),
        ("relu", "relu"),
        ("1_" * 300 + "1", "1_" * 300 + "1"),
    ],
)
def test_what_older_readers_make_of_it(text: str, expected: object) -> None:
    assert meant(text) == expected


def test_values_are_plain() -> None:
    text = "a: 1\nb: [x, 2.5, {c: null}]\nd:\n  - yes\n  - 'no'\n  - \"1\"\n"
    text += "e: |\n  two\n  lines\nf: >-\n  folded\n  text\n"
    assert value(text) == {
        "a": 1,
        "b": ("x", 2.5, {"c": None}),
        "d": ("yes", "no", "1"),
        "e": "two\nlines\n",
        "f": "folded text",
    }


def test_quotes_comments_and_continued_lines() -> None:
    assert value("a: 'it''s' # c\nb: \"\\u00e9\\n\\x41\"\nc: x#y\nd: a\n  b\n\n  c\ne: \"p\n  q\"\n? f\n: g\n") == {
        "a": "it's",
        "b": "é\nA",
        "c": "x#y",
        "d": "a b\nc",
        "e": "p q",
        "f": "g",
    }


def test_flow_notation() -> None:
    assert value('{a: [1, 2], "b":3, c, d: {e: f}, g: [h: i]}') == {
        "a": (1, 2),
        "b": 3,
        "c": None,
        "d": {"e": "f"},
        "g": ({"h": "i"},),
    }


def test_line_separators_of_yaml_1_1_are_text() -> None:
    assert value("a: x\x85y\u2028z\u2029w # c\x85d: 1\nb: 'q\u2028r'\n") == {
        "a": "x\x85y\u2028z\u2029w",
        "b": "q\u2028r",
    }


def test_every_key_and_value_has_a_place() -> None:
    text = "a: 1\nlist:\n  - x\n  - b: [2, {c: d}]\n\nlast:\n"
    source = parse(text, "x")
    found = {
        path: (text[place.key.start : place.key.end] if place.key else None, text[place.value.start : place.value.end])
        for path, place in source.places.items()
    }
    assert found == {
        (): (None, text.rstrip()),
        ("a",): ("a", "1"),
        ("list",): ("list", "- x\n  - b: [2, {c: d}]"),
        ("list", 0): (None, "x"),
        ("list", 1): (None, "b: [2, {c: d}]"),
        ("list", 1, "b"): ("b", "[2, {c: d}]"),
        ("list", 1, "b", 0): (None, "2"),
        ("list", 1, "b", 1): (None, "{c: d}"),
        ("list", 1, "b", 1, "c"): ("c", "d"),
        ("last",): ("last", ""),
    }


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_editors_do(newline: str) -> None:
    text = newline.join(["# \x85 \u2028", "a: 'x", "  y'", "", "b: é1", "c: 010"])
    assert faults(text) == [("FF008", "6:4")]
    assert parse_value(text.replace("010", "10"), "x").value == {"a": "x y", "b": "é1", "c": 10}


def test_faults_come_together() -> None:
    text = 'a: &x 1\nb: 010\nc: !t 2\nd: [*x, *y]\na: 2\n1: 2\n<<: {q: 1}\n{}: 3\ne: .nan\nf: "\\ud800"\n'
    assert faults(text) == [
        ("FF005", "1:4"),
        ("FF008", "2:4"),
        ("FF005", "3:4"),
        ("FF005", "4:9"),
        ("FF004", "5:1"),
        ("FF007", "6:1"),
        ("FF005", "7:1"),
        ("FF007", "8:1"),
        ("FF008", "9:4"),
        ("FF002", "10:4"),
    ]


def test_what_could_not_be_read_is_known() -> None:
    source = parse("a: &x 1\nb: 010\nc: [*x]\n1: 2\nd: {<<: {e: 1}}\nb: 3\n", "x")
    assert source.unread == {("b",), ("c", 0), ("1",), ("d",)}
    assert source.value == {"a": 1, "b": None, "c": (None,), "1": 2, "d": {}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: 1", ("FF005", "2:1")),
        ("a: 1\n---\nb: 1", ("FF005", "2:1")),
        ("%TAG ! x\n---\na: 1", ("FF005", "1:1")),
        ("a: \x00", ("FF002", "1:4")),
        ("a: \ud800", ("FF002", "1:4")),
        ("a: \ufffe", ("FF002", "1:4")),
        ("[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH, None),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), ("FF006", f"1:{MAX_DEPTH + 1}")),
        ("- " * MAX_DEPTH + "1", None),
        ("- " * (MAX_DEPTH + 1) + "1", ("FF006", f"1:{2 * MAX_DEPTH + 1}")),
        ("[" + "1," * (MAX_NODES - 1) + "]", None),
        ("[" + "1," * MAX_NODES + "]", ("FF006", f"1:{2 * MAX_NODES}")),
        ("\n" * MAX_LINES, None),
        ("\n" * (MAX_LINES + 1), ("FF006", f"{MAX_LINES + 1}:1")),
        ("a: !x", ("FF005", "1:4")),
        ("a: !", ("FF005", "1:4")),
        ("? *x\n: 1", ("FF005", "1:3")),
    ],
    ids=lambda item: repr(item)[:20],
)
def test_bounds_and_constructs(text: str, expected: tuple[str, str] | None) -> None:
    assert faults(text) == ([] if expected is None else [expected])


def test_reading_stops_after_many_faults() -> None:
    source = parse_value("[" + "010," * (MAX_FAULTS + 50) + "]", "x")
    assert [item.code for item in source.diagnostics] == ["FF008"] * MAX_FAULTS + ["FF006"]
    assert source.value is None


SYNTAX = {
    "found character '\\t'": "a: 1\t",
    "could not find expected ':'": "a: 1\nb\n",
    "mapping values are not allowed here": "a: b: c",
    "sequence entries are not allowed here": "a: - b",
    "mapping keys are not allowed here": "a: ? b",
    "expected <block end>": "- a\nb: 1",
    "expected '<document start>'": "'a' b",
    "expected ',' or ']'": "a: [1\nb: 2",
    "expected ',' or '}'": "a: {b: 1\nc: 2",
    "found unexpected end of stream": "a: 'b",
    "found unexpected document separator": "a: 'b\n---\nc'",
    "found unknown escape": 'a: "\\q"',
    "expected escape sequence": 'a: "\\u12"',
    "that cannot start any token": "a: @b",
    "expected the node content": "a: [1,,2]",
    "while scanning an a": "a: *",
    "found undefined tag handle": "a: !b!c d",
    "while scanning a tag": "a: !<b>c",
    "while parsing a tag": "a: !<b",
    "while scanning a block scalar": "a: |b",
}


def test_every_complaint_of_the_parser_has_a_text() -> None:
    assert {item.problem for item in COMPLAINTS} == set(SYNTAX)


@pytest.mark.parametrize("complaint", COMPLAINTS, ids=lambda item: item.problem)
def test_the_parser_complains_in_our_words(complaint: object) -> None:
    [known] = [item for item in COMPLAINTS if item is complaint]
    [found] = parse_value(SYNTAX[known.problem], "x").diagnostics
    first = known.message.partition("{")[0]
    assert (found.code, found.hint) == (known.code, known.hint)
    assert found.message.startswith(first)
    assert first


@pytest.mark.parametrize("text", ["", "\n", "# c", "---", "---\n...\n", "~", "[]", "x", "1"])
def test_a_spec_is_a_mapping(text: str) -> None:
    assert [item.code for item in parse(text, "x").diagnostics] == ["FF009"]


def test_reading_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\r\n")
    assert read(path) == Source(str(path), "a: é\r\n", {"a": "é"}, read(path).places)
    path.write_bytes(b"#" * MAX_BYTES)
    assert [item.code for item in read(path).diagnostics] == ["FF009"]
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    assert [item.code for item in read(path).diagnostics] == ["FF001"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes("a: 1\n".encode(encoding))
    [fault] = read(path).diagnostics
    assert (fault.code, fault.message) == ("FF002", f"a spec must be UTF-8, found {encoding[:6].upper()}")


def test_a_decoding_error_has_a_place(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes("\ufeffé: 1\n# für\n".encode()[:-4] + b"\xfcr\n")
    [fault] = read(path).diagnostics
    assert fault.span is not None
    assert (fault.code, fault.span.start.line, fault.span.start.column) == ("FF002", 2, 4)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a: 1\n")))
    assert (read("-").name, read("-").diagnostics[:0]) == ("<stdin>", ())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a: 1\n")))
    assert read("-").value == {"a": 1}
    monkeypatch.setattr(sys, "stdin", None)
    assert [item.code for item in read("-").diagnostics] == ["FF001"]


def test_pyyaml_itself_is_left_alone() -> None:
    command = "import sys, ffspec.source; sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
