"""What the machine has room for, as far as it says: asked before anything large is made."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SMALL = 2**28
"""Bytes that are never refused, so that what is found in a small spec is the same on every machine."""

GATHERED = 64_000_000
"""Bytes of shuffled rows that are gathered for all steps of an epoch at once; of more, a copy would take too much."""

MEMINFO = Path("/proc/meminfo")
GROUPS = Path("/sys/fs/cgroup")
"""Where Linux says what a container may take; it is killed when it takes more, however much the machine has."""
GROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)
"""Limit, use, and the part of it that is cached files and can be given up: of the second version, and the first."""


def gathers_by_step(rows: int, row: int) -> bool:
    """Return whether shuffled rows, each of `row` bytes, are gathered for one step at a time, and not for an epoch."""
    return rows * row > GATHERED


def shortage(needed: int) -> str | None:
    """Say what is missing, as "needs about 3.2 GB, 1.1 GB are free"; None where it fits, or nobody knows."""
    free = free_memory() if needed > SMALL else None
    return None if free is None or needed <= free else f"needs about {shown(needed)}, {shown(free)} are free"


def shown(size: float) -> str:
    """Return a number of bytes in a unit that leaves few digits."""
    if size < 100_000:
        return f"{size / 1000:,.1f} kB"
    for unit in ("MB", "GB", "TB", "PB"):
        size /= 1000 if unit != "MB" else 1_000_000
        if size < 999.95:
            break
    return f"{size:,.1f} {unit}"


def free_memory() -> int | None:
    """Return the bytes that could still be taken; None where the system does not say."""
    found = [size for size in (_machine(), _container()) if size is not None]
    return min(found, default=None)


def _machine() -> int | None:
    """Return what Linux can still give away, swap included; elsewhere, all the memory there is."""
    with suppress(OSError, ValueError, KeyError):
        lines = (line.split() for line in MEMINFO.read_text(encoding="ascii").splitlines())
        sizes = {line[0]: int(line[1]) * 1024 for line in lines if len(line) > 1}
        return sizes["MemAvailable:"] + sizes.get("SwapFree:", 0)
    with suppress(AttributeError, OSError, ValueError):
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return size if size > 0 else None
    return None


def _container() -> int | None:
    """Return what the limit of a container leaves; None without one."""
    for limit, used, details, cached in GROUP_FILES:
        with suppress(OSError, ValueError):
            most = int((GROUPS / limit).read_text(encoding="ascii"))
            taken = int((GROUPS / used).read_text(encoding="ascii"))
            lines = (line.split() for line in (GROUPS / details).read_text(encoding="ascii").splitlines())
            spare = next((int(line[1]) for line in lines if line and line[0] == cached), 0)
            return max(0, most - taken + spare)
    return None


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
