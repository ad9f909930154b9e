"""Functions of each number alone and those over the last axis, and what changes nothing but the shape.

Each is two operations of PyTorch. The second works on the gradient and on the result or on the input, and overwrites
the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ffspec.builder.backward.pair import Make, Pair, by_autograd, gradient_of

aten = torch.ops.aten
Arguments: TypeAlias = Callable[[Any], tuple[Any, ...]]
"""Returns the arguments an operation has of its module."""


def of_result(
    forward_of: Callable[..., Any], backward_of: Callable[..., Any], *behind: Any, over: bool = False
) -> Make:
    """Return what makes the pair of a function whose derivative follows from its result.

    Args:
        forward_of: (x, *, out) -> out.
        backward_of: (gradient, result, *behind, *, grad_input) -> grad_input.
        behind: What else the second is given.
        over: Whether the result overwrites the input.
    """

    def make(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
        del module, wanted
        made = x if over else torch.empty_like(x)

        def forward(x: Tensor) -> Tensor:
            forward_of(x, out=made)
            return made

        def backward(gradient: Tensor) -> Tensor:
            backward_of(gradient, made, *behind, grad_input=gradient)
            return gradient

        return Pair(forward, backward)

    return make


def of_input(
    forward_of: Callable[..., Any], backward_of: Callable[..., Any], arguments: Arguments = lambda _: ()
) -> Make:
    """Return what makes the pair of a function whose derivative follows from its input.

    Args:
        forward_of: (x, *arguments, *, out) -> out.
        backward_of: (gradient, x, *arguments, *, grad_input) -> grad_input.
        arguments: The arguments.
    """

    def make(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
        del wanted
        made, given, told = torch.empty_like(x), x, arguments(module)

        def forward(x: Tensor) -> Tensor:
            nonlocal given
            given = x
            forward_of(x, *told, out=made)
            return made

        def backward(gradient: Tensor) -> Tensor:
            backward_of(gradient, given, *told, grad_input=gradient)
            return gradient

        return Pair(forward, backward)

    return make


def nothing(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of a layer that does nothing in train mode."""
    del module, x, wanted
    return Pair(_same, _same)


def _same(x: Tensor) -> Tensor:
    return x


def _told(*names: str) -> Arguments:
    """Return the arguments that are attributes of the module."""
    return lambda module: tuple(getattr(module, name) for name in names)


def _clamped(x: Tensor, *, out: Tensor) -> None:
    torch.clamp_min(x, 0, out=out)


def _leaky(gradient: Tensor, x: Tensor, slope: float, *, grad_input: Tensor) -> None:
    aten.leaky_relu_backward.grad_input(gradient, x, slope, False, grad_input=grad_input)


def _exponential(gradient: Tensor, x: Tensor, *told: float, grad_input: Tensor) -> None:
    aten.elu_backward.grad_input(gradient, *told, False, x, grad_input=grad_input)


def _celu(x: Tensor, alpha: float, scale: float, inverse: float, *, out: Tensor) -> None:
    del scale, inverse
    aten.celu.out(x, alpha, out=out)


def _gelu(x: Tensor, approximate: str, *, out: Tensor) -> None:
    aten.gelu.out(x, approximate=approximate, out=out)


def _gelu_back(gradient: Tensor, x: Tensor, approximate: str, *, grad_input: Tensor) -> None:
    aten.gelu_backward.grad_input(gradient, x, approximate=approximate, grad_input=grad_input)


def _mish_back(gradient: Tensor, x: Tensor, *, grad_input: Tensor) -> None:
    grad_input.copy_(aten.mish_backward.default(gradient, x))  # has no form with a buffer


def _hardswish_back(gradient: Tensor, x: Tensor, *, grad_input: Tensor) -> None:
    aten.hardswish_backward.out(gradient, x, out=grad_input)


def _threshold_back(gradient: Tensor, x: Tensor, threshold: float, value: float, *, grad_input: Tensor) -> None:
    del value
    aten.threshold_backward.grad_input(gradient, x, threshold, grad_input=grad_input)


relu, relu_over = (of_result(_clamped, aten.threshold_backward.grad_input, 0, over=over) for over in (False, True))
tanh, tanh_over = (of_result(torch.tanh, aten.tanh_backward.grad_input, over=over) for over in (False, True))
sigmoid, sigmoid_over = (
    of_result(torch.sigmoid, aten.sigmoid_backward.grad_input, over=over) for over in (False, True)
)
leaky_relu = of_input(aten.leaky_relu.out, _leaky, _told("negative_slope"))
elu = of_input(aten.elu.out, _exponential, lambda module: (module.alpha, 1.0, 1))
selu = of_input(aten.elu.out, _exponential, lambda _: (1.6732632423543772, 1.0507009873554805, 1))
celu = of_input(_celu, _exponential, lambda module: (module.alpha, 1, 1 / module.alpha))
gelu = of_input(_gelu, _gelu_back, _told("approximate"))
silu = of_input(aten.silu.out, aten.silu_backward.grad_input)
mish = of_input(aten.mish.out, _mish_back)
softplus = of_input(aten.softplus.out, aten.softplus_backward.grad_input, _told("beta", "threshold"))
hardtanh = of_input(aten.hardtanh.out, aten.hardtanh_backward.grad_input, _told("min_val", "max_val"))
hardsigmoid = of_input(aten.hardsigmoid.out, aten.hardsigmoid_backward.grad_input)
hardswish = of_input(aten.hardswish.out, _hardswish_back)
softshrink = of_input(aten.softshrink.out, aten.softshrink_backward.grad_input, _told("lambd"))
hardshrink = of_input(aten.hardshrink.out, aten.hardshrink_backward.grad_input, _told("lambd"))
threshold = of_input(aten.threshold.out, _threshold_back, _told("threshold", "value"))


def log_sigmoid(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.LogSigmoid, whose two operations share a buffer."""
    del module, wanted
    made, buffer, given = torch.empty_like(x), torch.empty_like(x), x

    def forward(x: Tensor) -> Tensor:
        nonlocal given
        given = x
        aten.log_sigmoid_forward.output(x, output=made, buffer=buffer)
        return made

    def backward(gradient: Tensor) -> Tensor:
        aten.log_sigmoid_backward.grad_input(gradient, given, buffer, grad_input=gradient)
        return gradient

    return Pair(forward, backward)


def glu(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.GLU over the last axis."""
    del module, wanted
    made, above, given = x.new_empty(*x.shape[:-1], x.shape[-1] // 2), torch.empty_like(x), x

    def forward(x: Tensor) -> Tensor:
        nonlocal given
        given = x
        aten.glu.out(x, -1, out=made)
        return made

    def backward(gradient: Tensor) -> Tensor:
        aten.glu_backward.grad_input(gradient, given, -1, grad_input=above)
        return above

    return Pair(forward, backward)


def softmax(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.Softmax over the last axis."""
    del module, wanted
    made, above = torch.empty_like(x), torch.empty_like(x)

    def forward(x: Tensor) -> Tensor:
        aten._softmax.out(x, -1, False, out=made)  # noqa: SLF001 - the operation's name
        return made

    def backward(gradient: Tensor) -> Tensor:
        aten._softmax_backward_data.out(gradient, made, -1, made.dtype, grad_input=above)  # noqa: SLF001 - as above
        return above

    return Pair(forward, backward)


def log_softmax(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.LogSoftmax over the last axis."""
    del module, wanted
    made, above = torch.empty_like(x), torch.empty_like(x)

    def forward(x: Tensor) -> Tensor:
        aten._log_softmax.out(x, -1, False, out=made)  # noqa: SLF001 - the operation's name
        return made

    def backward(gradient: Tensor) -> Tensor:
        aten._log_softmax_backward_data.out(gradient, made, -1, made.dtype, out=above)  # noqa: SLF001 - as above
        return above

    return Pair(forward, backward)


def flatten(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.Flatten."""
    del wanted
    layer: Any = module
    start, shape = layer.start_dim, x.shape

    def forward(x: Tensor) -> Tensor:
        return x.flatten(start)

    def backward(gradient: Tensor) -> Tensor:
        return gradient.view(shape)

    return Pair(forward, backward)


def softmin(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.Softmin: softmax of -x."""
    inner, turned = softmax(module, x, wanted), torch.empty_like(x)

    def forward(x: Tensor) -> Tensor:
        return inner.forward(torch.neg(x, out=turned))

    def backward(gradient: Tensor) -> Tensor:
        return inner.backward(gradient).neg_()

    return Pair(forward, backward)


def softsign(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.Softsign: a quotient with x above and below."""
    del module, wanted
    below, made, given, one = torch.empty_like(x), torch.empty_like(x), x, x.new_ones(())

    def forward(x: Tensor) -> Tensor:
        nonlocal given
        given = x
        torch.abs(x, out=below).add_(one)
        return torch.div(x, below, out=made)

    def backward(gradient: Tensor) -> Tensor:
        through = -gradient * (given / below / below) * given.sgn()
        return gradient.div_(below).add_(through)

    return Pair(forward, backward)


def tanhshrink(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.Tanhshrink: x - tanh(x)."""
    del module, wanted
    inner, made = torch.empty_like(x), torch.empty_like(x)

    def forward(x: Tensor) -> Tensor:
        return torch.sub(x, torch.tanh(x, out=inner), out=made)

    def backward(gradient: Tensor) -> Tensor:
        return gradient.add_(aten.tanh_backward.default(-gradient, inner))

    return Pair(forward, backward, spare=True)


def prelu(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.PReLU, for rows of one axis."""
    layer: Any = module
    if x.dim() != 2:
        return by_autograd(module, x, wanted)
    slope, into, given = layer.weight.detach().view(1, -1), gradient_of(layer.weight).view(1, -1), x
    there, back = aten._prelu_kernel.default, aten._prelu_kernel_backward.default  # noqa: SLF001 - operations' names

    def forward(x: Tensor) -> Tensor:
        nonlocal given
        given = x
        made: Tensor = there(x, slope)
        return made

    def backward(gradient: Tensor) -> Tensor:
        above: Tensor
        above, found = back(gradient, given, slope)
        into.copy_(found.sum_to_size(into.shape))
        return above

    return Pair(forward, backward, spare=True)
