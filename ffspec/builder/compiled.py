"""A network and its loss as one compiled function: the rows go in, the loss and all gradients come out.

torch.compile on a module would keep autograd between its two halves, which costs a small network three times its
step. Here both directions are traced together (make_fx), so that one call does it all; TorchInductor makes C++ of it.
The network stays as it is: what is compiled takes its parameters and buffers as arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

OPTIONS = {
    "cpp_wrapper": True,  # what calls the kernels is C++ too
    "fallback_random": True,  # dropout draws what it would draw otherwise
    "compile_threads": 1,  # no processes beside this one
}


def compile_gradients(objective: nn.Module, *rows: Tensor, factor: float = 1.0) -> Callable[..., Any]:
    """Return what computes the loss of rows, and the gradient of every parameter that learns (None if it has none).

    Args:
        objective: Computes the loss of rows, (), from all that is in `rows`.
        rows: A batch, whose size is that of all batches: its numbers do not matter.
        factor: What the loss is multiplied with before it is differentiated.
    """
    from torch._inductor import compile as compile_graph
    from torch.fx.experimental.proxy_tensor import make_fx

    named = {**dict(objective.named_parameters()), **dict(objective.named_buffers())}
    learnt = [name for name, tensor in named.items() if tensor.requires_grad]

    def compute(*given: Tensor) -> list[Any]:
        with torch.enable_grad():
            held = dict(zip(named, given[len(rows) :], strict=True))
            held |= {name: held[name].detach().requires_grad_() for name in learnt}
            loss = torch.func.functional_call(objective, held, given[: len(rows)])
            whole = loss if factor == 1 else loss * factor
            found: Any = torch.autograd.grad(whole, [held[name] for name in learnt], allow_unused=True)
        # In rows, as autograd leaves them: some optimizers see a gradient as one long row.
        return [loss.detach(), *(one if one is None else one.contiguous() for one in found)]

    state, random = [tensor.detach() for tensor in named.values()], torch.get_rng_state()
    with torch.no_grad():
        example: list[Any] = [*(tensor.contiguous() for tensor in rows), *state]
        run = compile_graph(make_fx(compute, tracing_mode="fake")(*example), example, options=OPTIONS)
    torch.set_rng_state(random)

    def gradients(*rows: Tensor) -> Any:
        with torch.no_grad():
            return run(*(tensor.contiguous() for tensor in rows), *state)

    return gradients
