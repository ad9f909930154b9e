"""The rules that read the rows. The modules import no numpy: `ffspec explain` reads their texts without waiting.

Two faults have no rule, because no spec can have them: a preparation fitted on more than the training rows (FF203), and
class numbers of the wrong type or range (FF115).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.rules import columns, divisions, labels, memory, targets

if TYPE_CHECKING:
    from ffspec.rules.rule import DataRule

DATA: tuple[DataRule, ...] = (
    memory.TooLarge(),
    targets.NarrowOutput(),
    columns.Features(),
    columns.TargetSize(),
    divisions.KnownRows(),
    divisions.Drift(),
    divisions.MissingClasses(),
    labels.Majority(),
    labels.Answer(),
    labels.NoPlane(),
    columns.LargeCounts(),
    columns.SameColumns(),
)
"""In the order of their codes."""
