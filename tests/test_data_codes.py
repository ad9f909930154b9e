"""The codes of the data: the list is complete, every example does what it says, and reading them is light."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import ffspec.codes
import ffspec.data
from ffspec.codes import Code
from ffspec.data.codes import CODES
from tests.dataloading import loaded, refused

SPECS = Path(__file__).parent.parent / "specs"
WRITTEN = [code for code in CODES if code.spec]


def test_the_codes_of_the_data_are_the_listed_ones() -> None:
    modules = Path(ffspec.data.__file__ or "").parent.glob("*.py")
    used = {code for path in modules for code in re.findall(r'"(FF\d{3})"', path.read_text("utf-8"))}
    codes = [code.code for code in CODES]
    assert codes == sorted(used)
    assert not set(codes) & {code.code for code in ffspec.codes.CODES}


@pytest.mark.parametrize("code", WRITTEN, ids=lambda code: code.code)
def test_the_wrong_example_has_this_fault_and_the_right_one_none(code: Code) -> None:
    assert {found[0] for found in refused(yaml.safe_load(code.wrong)["dataset"], SPECS)} == {code.code}
    right = yaml.safe_load(code.right)["dataset"]
    if "prepare" not in right:
        right["prepare"] = {"missing": "median"}
    assert loaded(right, SPECS).facts.rows == {"train": 275, "test": 69}


def test_reading_the_codes_imports_no_numerical_library() -> None:
    code = "import sys; import ffspec.data.codes; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "ffspec.data.codes" in found
    assert not {"numpy", "polars", "sklearn", "torch"} & set(found)
