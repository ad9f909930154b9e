"""The end of a sweep: the best beside the spec as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.runner.population import train_together
from ffspec.runner.sweeping.margin import Side, over_rows, over_seeds
from ffspec.runner.sweeping.training import CHOOSING
from ffspec.runner.sweeping.trials import SEED
from ffspec.spec.sweep import between, values_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ffspec.points import Point
    from ffspec.runner.result import Result
    from ffspec.runner.sweeping.margin import Margin
    from ffspec.runner.sweeping.training import Ground
    from ffspec.runner.sweeping.trials import Trial

SEEDS = 5
"""Seeds with which the best and the spec as it stands are compared, at most."""


def margin_of(best: Trial, trials: Mapping[int, Trial], ground: Ground, result: Result) -> Margin | None:
    """Compare the best with the spec as it stands.

    Args:
        best: The best point.
        trials: What became of all points.
        ground: What they are made of.
        result: The ordinary run of the best.

    Returns:
        None where the best is the spec as it stands, or where that could not be trained.
    """
    if best.number == 0:
        return None
    if SEED in ground.space.axes:
        return _by_seeds(best, trials, ground)
    name = ground.space.sweep.metric.partition(".")[2]
    refitted = result.spec.training.refit  # such a network has seen the validation rows
    members = [ground.member(point) for point in ({}, *([best.point] if refitted else []))]
    trained = list(train_together(members, splits=(CHOOSING,)))
    if any(one.error is not None or name not in one.after[CHOOSING] for one in trained):
        return None
    sides = [
        Side(member=one.member, network=one.network, threshold=one.threshold, value=one.after[CHOOSING][name])
        for one in trained
    ]
    if not refitted:
        value = result.after[CHOOSING][name]
        member = ground.member(best.point)
        sides.append(Side(member=member, network=result.model, threshold=result.threshold, value=value))
    return over_rows(ground.space.sweep.metric, sides[1], sides[0])


def _by_seeds(best: Trial, trials: Mapping[int, Trial], ground: Ground) -> Margin | None:
    """Compare two settings over the seeds of the sweep; what has not been trained of them is trained now."""
    seeds = _seeds(ground.space.axes[SEED])
    own = ground.space.spec({}).seed
    wanted: dict[int, Point] = {}
    for place, seed in enumerate(seeds):
        wanted[2 * place] = {**best.point, SEED: seed}
        wanted[2 * place + 1] = {} if seed == own else {SEED: seed}
    known = {_key(trial.point): trial.value for trial in trials.values() if not trial.pruned}
    found = {number: known[_key(point)] for number, point in wanted.items() if _key(point) in known}
    rest = {number: point for number, point in wanted.items() if number not in found}
    found |= {trial.number: trial.value for trial in ground.train(rest)}
    pairs = [(found[2 * place], found[2 * place + 1]) for place in range(len(seeds))]
    values = [(one, other) for one, other in pairs if one is not None and other is not None]
    if not values:
        return None
    return over_seeds(ground.space.sweep.metric, [one for one, _ in values], [other for _, other in values])


def _seeds(axis: Any) -> list[int]:
    """Return the seeds of an axis, some of them if there are many."""
    values = values_of(axis)
    if values is None or len(values) > SEEDS:
        return list(dict.fromkeys(between(axis, place / SEEDS) for place in range(SEEDS)))
    return list(values)


def _key(point: Point) -> str:
    return repr(sorted(point.items(), key=lambda item: item[0]))
