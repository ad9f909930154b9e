"""Parts of specs made whole."""

from __future__ import annotations

from ffspec.rules import codes

OPTIONAL = frozenset(code.code for code in codes() if code.optional)
"""What may be let through: for tests of what a component does, beside others it may make no sense with."""

REST = {
    "dataset": "dataset: iris\n",
    "layers": "layers: [{linear: 8}, relu, linear]\n",
    "loss": "loss: cross_entropy\n",
    "optimizer": "optimizer: adam\n",
}
"""The keys a spec must have, each with an ordinary value."""


def whole(part: str) -> str:
    """Make a spec of a part: add the required keys it lacks."""
    keys = {line.partition(":")[0] for line in part.splitlines()}
    return part + "".join(text for key, text in REST.items() if key not in keys)
