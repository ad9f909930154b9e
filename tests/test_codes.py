"""The codes of the reader: the list is complete, and every example does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ffspec.codes
from ffspec import document
from ffspec.codes import CODES, Code, explanation
from tests.snippets import whole

PACKAGE = Path(ffspec.codes.__file__).parent
READER = ("source.py", "events.py", "syntax.py", "overrides.py", "document.py", "spec/faults.py")
STRUCTURAL = tuple(code for code in CODES if code.code <= "FF016")


def test_the_codes_of_the_reader_are_the_listed_ones() -> None:
    used = {code for name in READER for code in re.findall(r'"(FF\d{3})"', (PACKAGE / name).read_text("utf-8"))}
    assert used == {code.code for code in STRUCTURAL}


def test_codes_are_unique_and_in_order() -> None:
    codes = [code.code for code in CODES]
    assert codes == sorted(set(codes))


@pytest.mark.parametrize("code", [code for code in STRUCTURAL if code.spec], ids=lambda code: code.code)
def test_the_wrong_example_has_this_fault_and_no_other(code: Code) -> None:
    opened = document.parse(whole(code.wrong) if code.wrong else "")
    assert {item.code for item in opened.diagnostics} == {code.code}


@pytest.mark.parametrize("code", [code for code in STRUCTURAL if code.spec], ids=lambda code: code.code)
def test_the_right_example_has_no_fault(code: Code) -> None:
    assert document.parse(whole(code.right)).diagnostics == ()


def test_an_explanation() -> None:
    code = Code(code="FF999", title="a title", reason="Why.", wrong="a: 1\nb: 2\n", right="")
    assert explanation(code) == (
        "FF999 (error): a title\n\nWhy.\n\nWrong:\n    a: 1\n    b: 2\n\nRight:\n    (an empty file)"
    )
