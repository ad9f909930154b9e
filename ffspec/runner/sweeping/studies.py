"""optuna's words for the axes of a sweep and for its trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.diagnostics import Diagnostic, SpecError
from ffspec.runner.sweeping.trials import sure
from ffspec.seeds import derive
from ffspec.spec.metrics import larger_is_better
from ffspec.spec.sweep import Int, LogInt, LogUniform, rounded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ffspec.points import Point, Space
    from ffspec.runner.sweeping.trials import Trial
    from ffspec.spec.sweep import Axis

NAME = "sweep"
"""What a study is called where nothing else is said."""

STARTUP = {"tpe": 10, "hyperband": 27}
"""How many points are drawn at random before others are proposed where earlier ones were good: 10 is optuna's own, and
27 the first bracket, of which nothing is known when its points are asked for."""


def library(reason: str) -> Any:
    """Return optuna.

    Raises:
        SpecError: FF019, it is not installed.
    """
    try:
        import optuna
    except ImportError:
        message = f"{reason} needs optuna, which is not installed"
        hint = "install it: pip install 'ffspec[sweep]'; or write method: random"
        raise SpecError((Diagnostic(code="FF019", message=message, path=("sweep",), at_key=True, hint=hint),)) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def distributions(space: Space) -> dict[str, Any]:
    """Return the axes as distributions; of a list, the place in it is drawn."""
    optuna = library(f"method: {space.sweep.method}")
    return {name: _distribution(axis, optuna.distributions) for name, axis in space.axes.items()}


def _distribution(axis: Axis, kinds: Any) -> Any:
    if isinstance(axis, tuple):
        return kinds.CategoricalDistribution(list(range(len(axis))))
    if isinstance(axis, Int | LogInt):
        return kinds.IntDistribution(*axis.range, log=isinstance(axis, LogInt))
    return kinds.FloatDistribution(*axis.range, log=isinstance(axis, LogUniform))


def point_of(params: Mapping[str, Any], space: Space) -> Point:
    """Return the point that optuna's parameters stand for, its numbers in few digits."""
    found: Point = {}
    for name, axis in space.axes.items():
        drawn = params[name]
        if isinstance(axis, tuple):
            found[name] = axis[drawn]
        else:
            found[name] = int(drawn) if isinstance(axis, Int | LogInt) else rounded(float(drawn), *axis.range)
    return found


def params_of(point: Point, space: Space) -> dict[str, Any]:
    """Return the parameters that stand for a point."""
    return {
        name: next(place for place, one in enumerate(axis) if repr(one) == repr(point[name]))
        if isinstance(axis, tuple)
        else point[name]
        for name, axis in space.axes.items()
    }


def direction(space: Space) -> str:
    """Return which way the metric improves."""
    return "maximize" if larger_is_better(space.sweep.metric) else "minimize"


def sampler(space: Space, number: int, worker: str = "") -> Any:
    """Return what proposes points, its chance drawn from the sweep's seed, the number of the next point and who asks.

    Two processes that ask at the same time must not be proposed the same point.
    """
    optuna = library(f"method: {space.sweep.method}")
    seed = derive(space.sweep.seed, f"sweep/tpe/{number}{worker}", bits=32)
    startup = STARTUP.get(space.sweep.method, 10)
    return optuna.samplers.TPESampler(seed=seed, constant_liar=True, n_startup_trials=startup)


def frozen(trial: Trial, space: Space) -> Any:
    """Return a trial as optuna keeps it; one that says nothing of the axes as a failed one."""
    optuna = library(f"method: {space.sweep.method}")
    states = optuna.trial.TrialState
    rungs = {epoch: sure(value) for epoch, value in trial.rungs.items()}
    point = space.standing if trial.number == 0 else trial.point
    if point is None or (trial.value is None and not trial.pruned):
        return optuna.trial.create_trial(state=states.FAIL, intermediate_values=rungs)
    return optuna.trial.create_trial(
        state=states.PRUNED if trial.pruned else states.COMPLETE,
        value=sure([*trial.rungs.values()][-1] if trial.value is None else trial.value),
        params=params_of(point, space),
        distributions=distributions(space),
        intermediate_values=rungs,
    )
