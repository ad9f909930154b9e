"""Saying what is wrong with data, at the place of the spec that names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ffspec.diagnostics import Diagnostic, Path, SpecError


def problem(code: str, message: str, path: Path, hint: str | None = None) -> SpecError:
    """Return the error of one fault."""
    return SpecError((Diagnostic(code=code, message=message, path=path, hint=hint),))


def some(items: Iterable[object], *, most: int = 3) -> str:
    """List the first few items: `1, 2, 3 and 5 more`."""
    texts = [str(item) for item in items]
    if len(texts) <= most:
        return " and ".join(([", ".join(texts[:-1])] if texts[:-1] else []) + texts[-1:])
    return f"{', '.join(texts[:most])} and {len(texts) - most} more"


def counted(count: int, noun: str) -> str:
    """Return `1 row` or `2 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def quoted(items: Iterable[object], *, most: int = 3) -> str:
    """List the first few items, texts in quotes."""
    return some(map(repr, items), most=most)


def missing_cells(counts: Mapping[str, int], path: Path) -> SpecError:
    """Return the error of columns with cells that are missing, and may not be."""
    found = some(f"{name} ({count:,})" for name, count in counts.items())
    return problem(
        "FF032",
        f"no cell may be missing, found {counted(sum(counts.values()), 'missing cell')}: {found}",
        path,
        "write 'prepare: {missing: median}' (or mean, most_frequent), or leave the column out with 'drop'",
    )


def overflowing(names: Iterable[str], path: Path) -> SpecError:
    """Return the error of columns whose numbers preparing made infinite."""
    return problem("FF033", f"scaled numbers must be finite, but overflow in column {quoted(names)}", path)
