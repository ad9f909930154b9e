"""The network of a script, layer by layer, and the classes that PyTorch lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.export.classes import add_classes
from ffspec.export.defaults import arguments_of
from ffspec.export.ensembles import call_of
from ffspec.export.text import call, literal
from ffspec.planner import walk
from ffspec.spec.ensembles import are_independent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject
    from ffspec.spec.step import Call, Step

RESIDUAL = '''\
class Residual(nn.Sequential):
    """x + f(x), where f is the layers inside."""

    def forward(self, x):
        return x + super().forward(x)'''
STEP = '''\
class {name}Function(torch.autograd.Function):
    """The step: {value} at zero. {told}"""

    @staticmethod
    def forward(ctx, x):
        return torch.heaviside(x, x.new_tensor({value}))

    @staticmethod
    def backward(ctx, gradient):
        return {gradient}'''
HEAVISIDE = '''\
class {name}(nn.Module):
    """0 below zero, 1 above: the perceptron's step."""

    def forward(self, x):
        return {name}Function.apply(x)'''


def add_network(script: Script, subject: Subject) -> None:
    """Add the classes the network needs, and the network."""
    script.use("torch")
    script.use("torch", "nn")
    steps = list(walk(subject.plan.steps))
    if any(step.call.target == "ffspec.Residual" for step in steps):
        script.add(RESIDUAL)
    clipped = are_independent(steps) and subject.spec.training.clip_grad_norm is not None
    add_classes(script, [*(call_of(step).target for step in steps), *(["ffspec.clip_members"] if clipped else [])])
    names = _heavisides(steps)
    for (surrogate, value), name in names.items():
        told = "Backward, the gradient passes straight through." if surrogate else "Its derivative is zero."
        gradient = "gradient" if surrogate else "torch.zeros_like(gradient)"
        script.add(STEP.format(name=name, value=literal(value), told=told, gradient=gradient))
        script.add(HEAVISIDE.format(name=name))
    tail = ".double()" if subject.double else ""
    lines = [_layer(step, names, 4) for step in subject.plan.steps]
    script.add("# The network.", "model = nn.Sequential(", *lines, f"){tail}")


def _heavisides(steps: Sequence[Step]) -> dict[tuple[object, object], str]:
    """Return a name for each kind of step function there is: Heaviside, Heaviside2 and so on."""
    kinds = dict.fromkeys(_kind(step.call) for step in steps if step.call.target == "ffspec.Heaviside")
    return {kind: f"Heaviside{index + 1 if index else ''}" for index, kind in enumerate(kinds)}


def _kind(call: Call) -> tuple[object, object]:
    return call.arguments["surrogate"], call.arguments["value"]


def _layer(step: Step, names: dict[tuple[object, object], str], indent: int) -> str:
    space = " " * indent
    if step.steps:
        inner = [_layer(one, names, indent + 4) for one in step.steps]
        options = [f"{space}    {argument}," for argument in arguments_of(step.call)]
        return "\n".join([f"{space}{step.call.target.removeprefix('ffspec.')}(", *inner, *options, f"{space}),"])
    if step.call.target == "ffspec.Heaviside":
        return f"{space}{names[_kind(step.call)]}(),"
    made = call_of(step)
    return call(made.target.removeprefix("ffspec."), arguments_of(made), tail=",", indent=indent)
