"""Slips of the keyboard: a sample of what `python -m tests.bench.misspelt` measures, on the shipped specs."""

from __future__ import annotations

from ffspec import document
from ffspec.suggest import distance
from tests.bench.misspelt import GOAL, SPECS, Name, judge, misspellings, names

SLIPS = 60
"""Slips judged in each spec, at the least."""

Case = tuple[document.Document, Name, str]


def sample() -> list[Case]:
    cases: list[Case] = []
    for spec in SPECS:
        opened = document.load(spec)
        slips = [(opened, name, other) for name in names(opened) for other in misspellings(name)]
        cases += slips[:: len(slips) // SLIPS]
    return cases


def test_slips_are_found_where_they_stand_and_understood() -> None:
    judged = [(name.word, other, judge(opened, name, other)) for opened, name, other in sample()]
    assert [(word, other) for word, other, verdict in judged if not verdict.placed] == []
    puzzling = [(word, other) for word, other, verdict in judged if not verdict.suggested]
    assert len(puzzling) <= (1 - GOAL) * len(judged), puzzling


def test_one_slip_is_one_letter_and_no_other_name() -> None:
    made = list(misspellings(Name("abc", 0, ("abc", "bc", "xabc")), 27))
    assert {"ac", "ab", "bac", "acb", "abcd", "_abc", "xbc"} <= set(made)
    assert {"", "abc", "bc", "xabc"}.isdisjoint(made)
    assert all(distance("abc", other) == 1 for other in made)
    assert len(made) == len(set(made))


def test_what_is_no_text_is_no_slip() -> None:
    assert set(misspellings(Name("l1", 0, ()))).isdisjoint({"1", ""})


def test_every_name_is_looked_at() -> None:
    opened = document.parse(
        "dataset: {csv: {path: a.csv, target: y}, split: none}\nlayers: [{residual: [relu]}, linear]\nloss: mse\n"
        "optimizer: adam\nmetrics: [mae]\nchecks: {test.mae: {max: 1}}\n"
    )
    words = "adam checks csv dataset layers linear loss mae max metrics mse optimizer path relu residual split target"
    assert sorted(name.word for name in names(opened)) == [*words.split(), "test.mae"]
