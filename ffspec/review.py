"""What becomes of a finding: it is located, let through or told, told once, and stops what it must stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec import document, rules
from ffspec.diagnostics import Diagnostic, Path, Severity, SpecError
from ffspec.ignores import ignores_in, unused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from ffspec.document import Document


class Review:
    """Judges the findings about one spec, as they come: from reading, from the data, from training.

    Args:
        opened: The document of the spec.
        allow: The codes to let through, beside those its comments name.
    """

    def __init__(self, opened: Document, allow: Collection[str] = ()) -> None:
        self._document = opened
        self._allow = frozenset(allow)
        self._ignores = ignores_in(opened.source)
        self._found: dict[tuple[str, Path, str], Diagnostic] = {}
        self._judged: set[str] = set()

    @property
    def told(self) -> tuple[Diagnostic, ...]:
        """Everything found so far that is not let through, in file order."""
        return document.in_order(item for item in self._found.values() if not self._let_through(item))

    @property
    def allowed(self) -> frozenset[str]:
        """The codes of what was let through."""
        return frozenset(item.code for item in self._found.values() if self._let_through(item))

    def take(self, found: Iterable[Diagnostic], judged: Iterable[str] = ()) -> tuple[Diagnostic, ...]:
        """Take findings in, and return those that are new and not let through, located and in file order.

        Args:
            found: What rules, or the reading, have found.
            judged: The codes of the rules that were tried.
        """
        self._judged.update(judged)
        fresh = []
        for item in found:
            placed = self._document.locate(item)
            key = (item.code, item.path, item.message)
            if key not in self._found:
                self._found[key] = placed
                if not self._let_through(placed):
                    fresh.append(placed)
        return document.in_order(fresh)

    def unused(self) -> tuple[Diagnostic, ...]:
        """Return a warning for every comment that ignores nothing; of a spec that is not valid, none can be sure."""
        if not self._ignores or self._document.spec is None:
            return ()
        optional = {code.code: code.optional for code in rules.codes()}
        return tuple(unused(self._ignores, self._found.values(), optional, self._judged))

    def stop(self, found: Sequence[Diagnostic] | None = None) -> None:
        """Raise if any of these findings is an error; of all that were told, if none are given.

        Raises:
            SpecError: With the errors and warnings among them, and their text.
        """
        told = self.told if found is None else found
        grave = tuple(item for item in told if item.severity is not Severity.INFO)
        if any(item.severity is Severity.ERROR for item in grave):
            raise SpecError(grave, self.render(grave))

    def render(self, found: Sequence[Diagnostic], *, colour: bool = False) -> str:
        """Return findings as people read them; without a text to point into, a line each."""
        name = self._document.source.name
        if not self._document.source.text:
            return "\n".join(item.head if name == document.NAMELESS else f"{name}: {item.head}" for item in found)
        return self._document.render(found, colour=colour)

    def _let_through(self, item: Diagnostic) -> bool:
        named = item.code in self._allow or any(ignore.covers(item) for ignore in self._ignores)
        return named and rules.is_optional(item.code)
