"""Plain tables: columns aligned by their contents, numbers to the right."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, indent: str = "  ") -> str:
    """Return rows as aligned text.

    Args:
        header: The columns' names.
        rows: The cells.
        left: How many columns, from the first, are aligned to the left.
        indent: What every line begins with.
    """
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    made = []
    for line in lines:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        made.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(made)


def count(number: int | None) -> str:
    """Return a count with thousands separated, or a question mark where only the data can tell."""
    return "?" if number is None else f"{number:,}"


def figure(number: float | None) -> str:
    """Return a measure in four significant digits, or a dash where it is undefined."""
    return "-" if number is None else f"{number:.4g}"


def interval(bounds: tuple[float, float] | None) -> str:
    """Return an interval in brackets, or nothing where there is none."""
    return "" if bounds is None else f"[{bounds[0]:.3g}, {bounds[1]:.3g}]"
