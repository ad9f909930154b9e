"""Laws of the rules: a healthy spec, whatever it is made of, raises no error and no warning, and reads as it is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

import ffspec
from ffspec import document
from ffspec.diagnostics import Severity
from tests.corpus import chance
from tests.corpus.healthy import healthy


@given(seed=st.integers(0, 2**32))
@settings(max_examples=300)
def test_nothing_is_said_against_a_healthy_spec(seed: int) -> None:
    text = healthy(chance(seed))
    opened = document.parse(text)
    found = [item for item in ffspec.check(text) if item.severity is not Severity.INFO]
    assert found == [], f"{text}\n{opened.render(found)}"


@given(seed=st.integers(0, 2**32))
@settings(max_examples=50)
def test_a_healthy_spec_can_be_planned(seed: int) -> None:
    assert ffspec.plan(healthy(chance(seed))).steps
