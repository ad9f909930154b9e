# mypy: disable-error-code="import-not-found, import-untyped, no-untyped-call, untyped-decorator"
"""Ways to take a step that need a process of their own: JAX, and Keras on JAX.

JAX decides when it is imported how many threads there are, and Keras which backend it has. So a child does the work,
on one core, and tells the CPU seconds it took: `python -m tests.bench.elsewhere WAY CASE MEMBERS` reads a number of
epochs from each line of its input.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.bench.step import Case

Run = Callable[[int], float | None]


def elsewhere(way: str, case: Case, members: int = 1) -> Run:
    """Return what has a child train for so many epochs, and returns its CPU seconds.

    Args:
        way: `jax` or `keras`.
        case: The network, one of those of tests.bench.step.
        members: How many such networks JAX trains as one.
    """
    child = subprocess.Popen(
        (sys.executable, "-m", "tests.bench.elsewhere", way, case.name, str(members)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "JAX_PLATFORMS": "cpu"},
    )

    def run(epochs: int) -> float:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{epochs}\n")
        child.stdin.flush()
        return float(child.stdout.readline())

    return run


def with_jax(case: Case, members: int) -> Run:
    """Return a training of all epochs in one compiled call: a scan over the steps within one over the epochs.

    Several networks are made one by jax.vmap, each with weights and an order of its own.
    """
    import jax
    import jax.numpy as jnp

    from tests.bench.step import data

    x, y = map(jnp.asarray, data(case))

    def step(state: Any, batch: Any) -> tuple[Any, None]:
        return moved(case, state, jax.grad(loss_of(case))(state[0], *batch)), None

    def epoch(state: Any, key: Any) -> tuple[Any, None]:
        order = jax.random.permutation(key, case.rows) if case.steps > 1 else jnp.arange(case.rows)
        batches = [part[order].reshape(case.steps, case.batch, *part.shape[1:]) for part in (x, y)]
        return jax.lax.scan(step, state, batches)[0], None

    @partial(jax.jit, static_argnums=2)
    def train(states: Any, keys: Any, epochs: int) -> Any:
        def alone(state: Any, key: Any) -> Any:
            return jax.lax.scan(epoch, state, jax.random.split(key, epochs))[0]

        return alone(states, keys) if members == 1 else jax.vmap(alone)(states, keys)

    keys = jax.random.key(1) if members == 1 else jax.random.split(jax.random.key(1), members)
    held = [start_of(case, keys) if members == 1 else jax.vmap(partial(start_of, case))(keys)]

    def run(epochs: int) -> None:
        held[0] = jax.block_until_ready(train(held[0], keys, epochs))

    return run


def start_of(case: Case, key: Any) -> Any:
    """Return the first weights of a network, and what its optimizer remembers: a count, and two moments of each."""
    import jax
    import jax.numpy as jnp

    weights = []
    for inner, outer in zip(case.widths, case.widths[1:], strict=False):
        key, drawn = jax.random.split(key)
        weights.append((jax.random.uniform(drawn, (inner, outer), minval=-1, maxval=1) / inner**0.5, jnp.zeros(outer)))
    zeros = jax.tree.map(jnp.zeros_like, weights)
    return weights, jnp.zeros(()), zeros, zeros


def loss_of(case: Case) -> Callable[..., Any]:
    """Return what computes the mean loss of a batch."""
    import jax
    import jax.numpy as jnp

    def loss(weights: Any, x: Any, y: Any) -> Any:
        for place, (matrix, shift) in enumerate(weights):
            x = x @ matrix + shift if place == 0 else jax.nn.relu(x) @ matrix + shift
        if case.loss == "mse":
            return jnp.mean((x - y) ** 2)
        if case.loss == "cross_entropy":
            return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1))
        return jnp.mean(jax.nn.softplus(x[:, 0]) - x[:, 0] * y)

    return loss


def moved(case: Case, state: Any, slopes: Any) -> tuple[Any, ...]:
    """Return the state after a step of SGD or Adam."""
    import jax
    import jax.numpy as jnp

    from tests.bench.step import LR

    weights, count, first, second = state
    count += 1
    if case.optimizer == "sgd":
        return jax.tree.map(lambda w, g: w - LR * g, weights, slopes), count, first, second
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slopes)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, slopes)
    root = jnp.sqrt(1 - 0.999**count)

    def step(w: Any, m: Any, v: Any) -> Any:
        return w - LR / (1 - 0.9**count) * m / (jnp.sqrt(v) / root + 1e-8)

    return jax.tree.map(step, weights, first, second), count, first, second


def main() -> int:
    """Train as often as asked, and tell the CPU seconds of each time."""
    from tests.bench.step import CASES, with_keras

    way, case = sys.argv[1], next(case for case in CASES if case.name == sys.argv[2])
    if sys.platform == "linux":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    run = with_jax(case, int(sys.argv[3])) if way == "jax" else with_keras(case, "jax")
    for line in sys.stdin:
        start = time.process_time()
        run(int(line))
        print(time.process_time() - start, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
