"""Laws of the notation: a spec of any components, with any arguments, reads back from the text it is written to."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ffspec import document
from ffspec.schema import FAMILIES
from ffspec.spec.base import Family, to_plain
from ffspec.spec.root import Spec
from ffspec.writer import dump
from tests.laws.specs import components, whole


@given(spec=whole())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_text_and_spec_are_one_whatever_the_components(spec: Spec) -> None:
    for full in (False, True):
        read = document.parse(dump(spec, full=full))
        assert read.diagnostics == ()
        assert read.spec == spec


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.kind)
@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
def test_a_component_reads_back_from_its_notation(family: Family, data: st.DataObject) -> None:
    component = data.draw(components(family))
    assert family.parse(to_plain(component)) == component
    assert family.parse(to_plain(component, full=True)) == component
