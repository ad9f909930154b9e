"""Codes of categories, which are names and no numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Edit, Severity
from ffspec.rules.rule import StaticRule
from ffspec.spec.tables import Arrays, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.diagnostics import Diagnostic, Path
    from ffspec.planner import Draft

PATH: Path = ("dataset", "prepare", "categories")


@final
class CodesAsNumbers(StaticRule):
    """FF132: codes that a linear layer takes for numbers."""

    about: ClassVar[Code] = Code(
        code="FF132",
        title="codes of categories taken for numbers",
        reason="categories: codes gives each level a number: red 0, green 1, blue 2. A linear layer takes green for "
        "the middle between red and blue. An embedding in front learns a vector for each code; without one, each level "
        "needs a feature of its own, which is what one_hot makes. Where the levels have an order, ordered says it.",
        wrong="dataset:\n  csv: {path: penguins.csv, target: species}\n"
        "  prepare: {missing: median, categories: codes}\n",
        right="dataset:\n  csv: {path: penguins.csv, target: species}\n"
        "  prepare: {missing: median, categories: one_hot}\n",
        severity=Severity.WARNING,
        optional=True,
        source="Guo and Berkhahn 2016 (arXiv 1604.06737), 'Entity embeddings of categorical variables'",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look for an embedding, unless the rows are known to have no codes."""
        dataset, layers, levels = draft.parts.get("dataset"), draft.parts.get("layers"), draft.facts.levels
        if dataset is None or layers is None or not isinstance(dataset.source, Table | Arrays):
            return
        coded = dataset.prepare.categories == "codes" and (levels is None or any(level > 1 for level in levels))
        if coded and None not in layers and not _embeds(layers):
            yield self.report(
                "codes must go through an embedding, or the layers take them for numbers; found none among the layers",
                PATH,
                hint="write categories: one_hot, or put an embedding in front",
                edit=Edit(action="replace", path=PATH, value="one_hot", safe=False),
            )


def _embeds(layers: Sequence[Any]) -> bool:
    """Return whether there is an embedding among the layers, or in a block of them."""
    return any(layer.name == "embedding" or _embeds(getattr(layer, "layers", ()) or ()) for layer in layers)
