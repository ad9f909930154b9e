"""Where a training went wrong: it is done once more, with an eye on every number, until the first that is not finite.

Training is exact, so the second time goes the way of the first. Looking at every number while training would cost more
than the training; looking only when something is wrong costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from ffspec.builder.streams import untouched
from ffspec.diagnostics import DivergedError, FfspecError
from ffspec.planner import walk
from ffspec.runner.checkpoints import put_back
from ffspec.runner.setup import set_up, trainer_of
from ffspec.runner.surroundings import threads, unwarned
from ffspec.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ffspec.data import Loaded
    from ffspec.diagnostics import Path
    from ffspec.planner import Plan
    from ffspec.runner.checkpoints import State
    from ffspec.runner.loop import Trainer
    from ffspec.runner.setup import Setup
    from ffspec.spec.root import Spec


class _Broken(Exception):
    """The first number that is not finite."""


@dataclass(slots=True)
class _Eye:
    """Looks at the output of every module, and after every step at the weights."""

    setup: Setup
    paths: dict[str, Path]
    trainer: Trainer | None = None

    def look(self, name: str, given: Tensor, output: Tensor) -> None:
        """Look at what a module returns."""
        if not bool(output.isfinite().all()):
            largest = "" if name != next(iter(self.paths)) else f"; {self._largest(given)}"
            raise _Broken(f"{self._step()} the output of {_layer(self.paths[name])} was not finite{largest}")

    def after_step(self, trainer: Trainer) -> None:
        """Look at the weights."""
        for name, parameter in trainer.network.named_parameters():
            if not bool(parameter.isfinite().all()):
                module = name.rpartition(".")[0]
                layer = _layer(self.paths[module])
                raise _Broken(f"{self._step(1)} the step left {layer} with weights that are not finite")

    def after_epoch(self, trainer: Trainer) -> None:
        """Do nothing: the last step has been looked at."""

    def _step(self, less: int = 0) -> str:
        cursor = self.trainer.cursor if self.trainer is not None else None
        return "" if cursor is None else f"in epoch {cursor.epoch}, step {cursor.position + 1 - less},"

    def _largest(self, x_BF: Tensor) -> str:
        column = int(x_BF.abs().flatten(0, -2).max(dim=0).values.argmax())
        return f"of its inputs, {self.setup.loaded.features[column]!r} has the largest numbers"


def with_cause(
    error: DivergedError, spec: Spec, plan: Plan, loaded: Loaded, state: State | None = None
) -> DivergedError:
    """Say where a training went wrong, looked for from a kept state on, or from its start."""
    with threads(spec.training.threads), unwarned():
        cause = find_cause(set_up(spec, plan, loaded), state)
    return error if cause is None else DivergedError(f"{error}; first, {cause}")


def find_cause(setup: Setup, state: State | None) -> str | None:
    """Train again until a number is not finite; return what was the first, or None if none was.

    Args:
        setup: A new one, untrained.
        state: Where to begin; the start if None.
    """
    modules = {name: module for name, module in setup.network.named_modules() if not [*module.children()]}
    paths = dict(zip(modules, _leaves(setup.plan), strict=True))
    eye = _Eye(setup, paths)
    eye.trainer = trainer = trainer_of(setup, keeper=eye, called=True)
    with untouched(derive(setup.spec.seed, "dropout")):
        if state is not None:
            put_back(trainer, state)
        hooks = [module.register_forward_hook(_hook(eye, name)) for name, module in modules.items()]
        try:
            trainer.run(lambda row: None)  # noqa: ARG005 - nobody listens
        except _Broken as found:
            return str(found)
        except FfspecError:
            return None
        finally:
            for hook in hooks:
                hook.remove()
    return None


def _hook(eye: _Eye, name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def look(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        if module.training:
            eye.look(name, given[0], output)

    return look


def _leaves(plan: Plan) -> list[Path]:
    return [step.path for step in walk(plan.steps) if not step.steps]


def _layer(path: Sequence[str | int]) -> str:
    """Return the place of a layer, as a path of the spec."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")
