"""The renderer: the whole text of diagnostics."""

from __future__ import annotations

import pytest

from ffspec.diagnostics import (
    MAX_SHOWN,
    MAX_WIDTH,
    Diagnostic,
    Position,
    Severity,
    Span,
    SpecError,
    brief,
    printable,
    render,
)


def spanned(line: int, start: int, end: int, **other: object) -> Diagnostic:
    span = Span(Position(line, start), Position(line, end))
    return Diagnostic(**{"code": "FF012", "message": "unknown key 'b'", "span": span, **other})  # type: ignore[arg-type]


def lines(diagnostic: Diagnostic, text: str) -> list[str]:
    return render([diagnostic], file="x.yaml", text=text).splitlines()


def test_nothing_renders_as_nothing() -> None:
    assert render([], file="x.yaml", text="a: 1\n") == ""


def test_the_form() -> None:
    text = "a: 1\n  b: 2\n"
    assert render([spanned(2, 3, 4, hint="did you mean 'a'?")], file="specs/x.yaml", text=text) == (
        "specs/x.yaml:2:3: error[FF012]: unknown key 'b'\n    2 |   b: 2\n      |   ^ did you mean 'a'?\n1 error"
    )


def test_without_a_hint() -> None:
    assert lines(spanned(1, 1, 2), "b: 2")[1:3] == ["    1 | b: 2", "      | ^"]


def test_a_long_hint_has_a_line_of_its_own() -> None:
    hint = "word " * 30 + "end"
    assert lines(spanned(1, 1, 2, hint=hint), "b: 2")[2:4] == ["      | ^", f"      = {hint}"]


def test_without_a_place() -> None:
    fault = Diagnostic(code="FF001", message="cannot read the spec", hint="look again")
    assert lines(fault, "") == ["x.yaml: error[FF001]: cannot read the spec", "      = look again", "1 error"]


def test_an_override_is_its_own_line() -> None:
    assert lines(spanned(1, 12, 13, origin="--set seed=x"), "name: a\n") == [
        "--set seed=x: error[FF012]: unknown key 'b'",
        "      | --set seed=x",
        "      |            ^",
        "1 error",
    ]


def test_the_summary_counts_by_severity() -> None:
    faults = [
        spanned(1, 1, 2),
        *[spanned(1, 1, 2, severity=Severity.WARNING)] * 2,
        spanned(1, 1, 2, severity=Severity.INFO),
    ]
    rendered = render(faults, file="x", text="b").splitlines()
    assert rendered[3].startswith("x:1:1: warning[FF012]: ")
    assert rendered[9].startswith("x:1:1: info[FF012]: ")
    assert rendered[-1] == "1 error, 2 warnings, 1 info"


def test_a_flood_is_cut() -> None:
    rendered = render([spanned(1, 1, 2)] * (MAX_SHOWN + 5), file="x", text="b").splitlines()
    assert len(rendered) == 3 * MAX_SHOWN + 1
    assert rendered[-1] == f"{MAX_SHOWN + 5} errors (the first {MAX_SHOWN} are shown)"


def test_several_lines_are_underlined_on_the_first() -> None:
    span = Span(Position(1, 4), Position(3, 2))
    fault = Diagnostic(code="FF013", message="m", span=span)
    assert lines(fault, "a: [1,\n 2\n]")[1:3] == ["    1 | a: [1,", "      |    ^^^"]


def test_the_gutter_grows_with_the_line_number() -> None:
    shown = lines(spanned(1_234_567, 1, 2), "\n" * 1_234_566 + "b")
    assert shown[1:3] == ["1234567 | b", "        | ^"]


def test_wide_characters_count_twice_and_marks_not_at_all() -> None:
    assert lines(spanned(1, 5, 6), "日本e\u0301b")[1:3] == ["    1 | 日本e\u0301b", "      |      ^"]
    assert lines(spanned(1, 1, 3), "日本b")[1:3] == ["    1 | 日本b", "      | ^^^^"]


def test_control_characters_are_left_out() -> None:
    text = "\x1b[31m\u202e\u200b\tb\x07: 1"
    assert lines(spanned(1, 9, 10), text)[1:3] == ["    1 | [31m b: 1", "      |      ^"]


@pytest.mark.parametrize("column", [1, 50, 500, 999])
def test_long_lines_are_cut_around_the_caret(column: int) -> None:
    line = "".join(chr(ord("a") + index % 26) for index in range(1000))
    _, shown, under, _ = lines(spanned(1, column, column + 1), line)
    at = under.index("^")
    assert shown[at] == line[column - 1]
    assert len(shown) <= len("    1 | ") + MAX_WIDTH + 6
    assert shown.endswith("...") == (column < 900)
    assert shown.startswith("    1 | ...") == (column > MAX_WIDTH // 3)


def test_a_long_underline_ends_with_the_window() -> None:
    _, shown, under, _ = lines(spanned(1, 1, 5000), "x" * 5000)
    assert shown == f"    1 | {'x' * MAX_WIDTH}..."
    assert under == f"      | {'^' * MAX_WIDTH}"


def test_a_place_behind_the_text_is_still_shown() -> None:
    assert lines(spanned(2, 1, 2), "a\n")[1:3] == ["    2 |", "      | ^"]
    assert lines(spanned(9, 1, 2, hint="h"), "a\n") == [
        "x.yaml:9:1: error[FF012]: unknown key 'b'",
        "      = h",
        "1 error",
    ]


def test_colour_is_only_added() -> None:
    fault = spanned(1, 1, 2, hint="h")
    coloured = render([fault], file="x", text="b", colour=True)
    plain = render([fault], file="x", text="b")
    assert coloured.replace("\x1b[1;31m", "").replace("\x1b[1m", "").replace("\x1b[0m", "") == plain
    assert (
        coloured.splitlines()[0] == "\x1b[1mx:1:1:\x1b[0m \x1b[1;31merror[FF012]\x1b[0m: \x1b[1munknown key 'b'\x1b[0m"
    )
    assert coloured.splitlines()[2] == "      | \x1b[1;31m^ h\x1b[0m"


def test_an_error_says_what_it_knows() -> None:
    fault = Diagnostic(code="FF012", message="unknown key 'b'")
    assert str(SpecError((fault,))) == "error[FF012]: unknown key 'b'"
    assert str(SpecError((fault,), "the rendered text")) == "the rendered text"


def test_brief_and_printable() -> None:
    assert brief("x" * 40) == "x" * 40
    assert brief("x" * 41) == "x" * 37 + "..."
    assert printable("a\x00b\ud800c\u2028d é日") == "abcd é日"
