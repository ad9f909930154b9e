"""Independent random streams out of one seed: hashing a name keeps one use from shifting another."""

from __future__ import annotations

from hashlib import blake2b


def derive(seed: int, name: str, *, bits: int = 63) -> int:
    """Return the seed of the stream called `name`: an integer in [0, 2**bits).

    Adding a layer changes no data, and adding a data set changes no weights, because every stream
    ("data", "split", "init/0.weight", "shuffle", "dropout") is derived from the root seed by its own name.
    """
    digest = blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - bits)
