"""Hyperband: which points are compared when, and that waiting for one another changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest
import torch

import ffspec
from ffspec import populations
from ffspec.data import load_spec
from ffspec.runner.evaluation import Measures
from ffspec.runner.population import Member, Trained, member_of, train_in_stages, train_together
from ffspec.runner.sweeping import Trial
from ffspec.runner.sweeping.halving import Bracket, Kind, kinds, room

TEXT = """\
dataset: {classification: {n_samples: 90, n_features: 5}, split: {validation: 0.2, test: 0.2}}
layers: [{linear: 8}, relu, linear]
loss: bce_with_logits
optimizer: {adam: 0.02}
training: {epochs: 6, batch_size: 16}
"""


def member(*overrides: str, text: str = TEXT) -> Member:
    spec = ffspec.load(text, overrides=overrides)
    return member_of(spec, load_spec(spec))


def test_brackets_look_at_fewer_and_fewer_points_later_and_later() -> None:
    assert kinds(100, 99) == (Kind(27, (3, 11, 33)), Kind(12, (11, 33)), Kind(9, (33,)), Kind(4, ()))
    assert kinds(81, 10) == (Kind(10, (3, 9, 27)), Kind(10, (9, 27)), Kind(9, (27,)), Kind(4, ()))
    assert kinds(4, 99) == (Kind(9, (1,)), Kind(2, ()))
    assert kinds(1, 99) == (Kind(1, ()),)


def test_what_waits_has_its_room() -> None:
    one = member()
    assert one.plan.parameters == 57
    assert room(one, shared=True) == 2**31 // (57 * 5 * 4)
    assert room(member("training.precision=float64"), shared=True) == 2**31 // (57 * 5 * 8)
    rows = sum(split.x.nbytes + split.y.nbytes for split in one.loaded.splits.values())
    assert room(one, shared=False) == 2**31 // (57 * 5 * 4 + rows)


def bracket(count: int, trials: Mapping[int, Trial], metric: str = "validation.loss") -> Bracket:
    return Bracket(Kind(count, (1, 3, 9)), range(count + 1), trials, metric)


def of(values: Mapping[int, float | None], name: str = "loss") -> dict[int, Measures]:
    return {number: {} if value is None else {name: value} for number, value in values.items()}


def made(number: int, value: float | None, **more: object) -> Trial:
    plain = Trial(number=number, point={}, value=value, measures={}, epochs=1, at=0.0)
    return replace(plain, **more)  # type: ignore[arg-type]


def test_the_best_third_goes_on_and_three_at_least() -> None:
    found = bracket(27, {})
    assert found.choose(1, of({number: float(number) for number in range(28)})) == {*range(10, 28)}
    assert found.choose(3, of({number: 10.0 - number for number in range(10)})) == {*range(1, 7)}
    assert found.choose(9, of({0: 9.0, 7: 1.0, 8: 2.0, 9: 3.0})) == set()
    assert found.noted(made(0, 1.0)).rungs == {1: 0.0, 3: 10.0, 9: 9.0}
    assert found.noted(made(0, 1.0)).pruned is False
    assert found.noted(made(5, 1.0)) == made(5, None, rungs={1: 5.0, 3: 5.0}, pruned=True)
    assert found.noted(made(5, None, error="nan")) == made(5, None, rungs={1: 5.0, 3: 5.0}, error="nan")
    few = bracket(5, {})
    assert few.choose(1, of({number: float(number) for number in range(6)})) == {2, 3, 4, 5}


def test_of_equals_the_earlier_goes_on_and_what_is_undefined_does_not() -> None:
    tied = {1: None, 2: 0.500001, 3: 0.5, 4: 0.500002, **dict.fromkeys(range(5, 10), 0.9)}
    assert bracket(9, {}).choose(1, of(tied)) == {1, 5, 6, 7, 8, 9}
    larger = bracket(9, {}, "validation.accuracy")
    assert larger.choose(1, of({number: number / 9 for number in range(1, 10)}, "accuracy")) == {*range(1, 7)}


def test_points_that_ended_before_are_compared_too() -> None:
    trials = {
        1: made(1, None, pruned=True, rungs={1: 0.2}),  # stopped here, before the process was
        2: made(2, 0.1),  # early stopping
        3: made(3, None, error="nan"),
    }
    assert bracket(9, trials).choose(1, of({number: number / 10 for number in range(4, 10)})) == {*range(5, 10)}
    # At the next rung, the first is none to be beaten any more.
    assert bracket(9, trials).choose(3, of({number: number / 10 for number in range(4, 7)})) == {6}


def staged(members: list[Member], stopped: Mapping[int, Collection[int]]) -> tuple[dict[int, Trained], dict[int, int]]:
    told: dict[int, int] = {}

    def choose(epoch: int, reached: Mapping[int, dict[str, Measures]]) -> Collection[int]:
        assert all([*one["validation"]] == ["loss", "accuracy"] for one in reached.values())
        told[epoch] = len(reached)
        return stopped[epoch]

    return dict(train_in_stages(members, [*stopped], choose, splits=("validation",))), told


VARIANTS: tuple[tuple[str, ...], ...] = (
    (),
    ("layers=[{linear: 8}, relu, {dropout: 0.3}, linear]",),
    ("training.ema=0.9", "training.early_stopping={patience: 1, monitor: validation.loss}"),
    ("scheduler=cosine_annealing", "layers=[{linear: 8}, batch_norm, relu, linear]"),
)


@pytest.mark.parametrize("overrides", VARIANTS)
@pytest.mark.parametrize("count", [1, 6])
def test_a_member_that_waits_becomes_what_it_would_have_been(count: int, overrides: tuple[str, ...]) -> None:
    members = [member(f"seed={seed}", *overrides) for seed in range(count)]
    found, told = staged(members, {1: (), 3: ()})
    assert told[1] == count
    for place, one in enumerate(train_together(members, splits=("validation",), lean=True)):
        other = found[place]
        assert (one.history, one.after, one.together) == (other.history, other.after, other.together)
        pairs = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
        assert all(torch.equal(mine, theirs) for mine, theirs in pairs)


@pytest.mark.parametrize("cache", [8_000_000, 30_000, 1])
def test_members_that_are_stopped_leave_the_others_what_they_would_have_been(
    cache: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(populations, "CACHE", cache)
    members = [member(f"seed={seed}", f"optimizer.adam.lr={0.01 + 0.01 * seed}") for seed in range(8)]
    found, told = staged(members, {1: (0, 1, 2), 3: (5, 6)})
    assert told == {1: 8, 3: 5}
    assert [len(found[place].history) for place in range(8)] == [1, 1, 1, 6, 6, 3, 3, 6]
    for place, trained in found.items():
        alone = ffspec.run(replace_epochs(members[place], len(trained.history)))
        assert trained.after["validation"]["loss"] == pytest.approx(alone.after["validation"]["loss"], rel=1e-5)


def replace_epochs(one: Member, epochs: int) -> ffspec.Spec:
    return one.spec.model_copy(update={"training": one.spec.training.model_copy(update={"epochs": epochs})})


def test_a_member_that_diverges_carries_its_error_and_is_not_waited_for() -> None:
    text = TEXT.replace("bce_with_logits", "mse").replace("classification", "regression").replace("adam", "sgd")
    members = [member(f"optimizer.sgd.lr={lr}", text=text) for lr in (1e-4, 1e12, 2e-4, 3e-4)]
    told = {}

    def choose(epoch: int, reached: Mapping[int, dict[str, Measures]]) -> Collection[int]:
        told[epoch] = [*reached]
        return (0,) if epoch == 3 else ()

    found = dict(train_in_stages(members, (1, 3), choose, splits=("validation",)))
    assert str(found[1].error).startswith("the training loss is ")
    assert (told[3], len(found[0].history)) == ([0, 2, 3], 3)
    assert [found[place].together for place in range(4)] == [4] * 4
