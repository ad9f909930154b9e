"""What a rule is: a text, and a test of a draft, of the rows, or of what was measured on the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ffspec.diagnostics import Diagnostic, Edit, Path, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ffspec.codes import Code
    from ffspec.data import Loaded
    from ffspec.planner import Draft


class Rule(ABC):
    """One thing that can be wrong with a network, its data or its training, under one code."""

    about: ClassVar[Code]
    """What it is, why it matters, wrong and right."""

    def report(  # noqa: PLR0913 - the parts of a diagnostic
        self,
        message: str,
        path: Path,
        *,
        hint: str | None = None,
        severity: Severity | None = None,
        at_key: bool = False,
        edit: Edit | None = None,
    ) -> Diagnostic:
        """Return a finding of this rule, as grave as the rule is unless `severity` says otherwise."""
        return Diagnostic(
            code=self.about.code,
            message=message,
            path=path,
            hint=hint,
            severity=self.about.severity if severity is None else severity,
            at_key=at_key,
            edit=edit,
        )


class StaticRule(Rule):
    """A rule that reads the spec and what can be planned of it: milliseconds, no torch, no data."""

    @abstractmethod
    def find(self, draft: Draft) -> Iterable[Diagnostic]:
        """Yield where the draft breaks the rule; nothing where it cannot tell."""


class DataRule(Rule):
    """A rule that reads the rows, split and prepared. Where a rule is static too, what the rows say counts instead."""

    @abstractmethod
    def inspect(self, draft: Draft, loaded: Loaded) -> Iterable[Diagnostic]:
        """Yield where the rows, or the draft together with them, break the rule."""
