"""What a script changes from step to step beside the learning rate: decay, dropout, and an average of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.export.text import literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject

AVERAGE = '''\
@torch.no_grad()
def average(step):
    """Take trained weights into their mean; at first faster, or it would never leave the start."""
    weight = 1 - min({decay}, (1 + step) / (10 + step))
    for mean, parameter in zip(model.parameters(), trained.parameters()):
        mean.lerp_(parameter, weight)
    for mean, buffer in zip(model.buffers(), trained.buffers()):
        mean.copy_(buffer)'''


def trained(subject: Subject) -> str:
    """Return the name of the network that is trained; what is evaluated and kept is always `model`."""
    return "model" if subject.spec.training.ema is None else "trained"


def add_average(script: Script, subject: Subject) -> None:
    """Add the network that is trained, and what takes its weights into their mean, if there is one."""
    decay = subject.spec.training.ema
    if decay is None:
        return
    script.use("copy")
    script.add(
        "# What is trained; the weights of `model` become their moving average.", "trained = copy.deepcopy(model)"
    )
    script.add(AVERAGE.format(decay=literal(decay)))


class Changes:
    """Says in code what is changed before a step, and after it."""

    def __init__(self, subject: Subject) -> None:
        schedules = subject.spec.training.schedules
        self._subject = subject
        decay, dropout = (None, None) if schedules is None else (schedules.weight_decay, schedules.dropout)
        self._decay = None if decay == "constant" else decay
        self._dropout = None if dropout == "constant" else dropout
        self._averaged = subject.spec.training.ema is not None

    @property
    def counts_steps(self) -> bool:
        """Whether steps have to be counted: with one an epoch, the epoch's number is the step's."""
        return self._subject.batch_size is not None and bool(self._decay or self._dropout or self._averaged)

    @property
    def curves(self) -> tuple[str, ...]:
        """The names of the curves."""
        return tuple(name for name in (self._decay, self._dropout) if name)

    def opening(self, optimizers: Sequence[str]) -> Iterator[str]:
        """Yield what stands before the loop."""
        if self._decay:
            if len(optimizers) == 1:
                yield f'decays = [(group, group["weight_decay"]) for group in {optimizers[0]}.param_groups]'
            else:
                yield "groups = [" + ", ".join(f"*{name}.param_groups" for name in optimizers) + "]"
                yield 'decays = [(group, group["weight_decay"]) for group in groups]'
        if self._dropout:
            yield "kinds = (nn.Dropout, nn.AlphaDropout)"
            yield f"dropouts = [(m, m.p) for m in {trained(self._subject)}.modules() if isinstance(m, kinds)]"

    def before_step(self) -> Iterator[str]:
        """Yield what stands before a step."""
        if not (self._decay or self._dropout):
            return
        if self._subject.batch_size is None:
            yield "t = (epoch - 1) / EPOCHS"
        else:
            yield f"t = step / (EPOCHS * {self._subject.plan.steps_per_epoch})"
        if self._decay:
            yield "for group, decay in decays:"
            yield f'    group["weight_decay"] = decay * {self._decay}(t)'
        if self._dropout:
            yield "for module, p in dropouts:"
            yield f"    module.p = p * {self._dropout}(t)"

    def after_step(self) -> Iterator[str]:
        """Yield what stands behind a step, before it is counted."""
        if self._averaged:
            yield f"average({'epoch - 1' if self._subject.batch_size is None else 'step'})"
