"""Writes the tables of the documentation from the code: `python -m tests.generate_docs`.

A page holds its tables between `<!-- begin NAME -->` and `<!-- end NAME -->`; what stands between is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from ffspec.codes import Code
from ffspec.rules import codes
from ffspec.spec.base import Component, Node
from ffspec.spec.dataset import SOURCES, Prepare, Split
from ffspec.spec.grammar import kinds_of
from ffspec.spec.grouping import ParameterGroup
from ffspec.spec.inits import INITS
from ffspec.spec.layers import LAYERS
from ffspec.spec.losses import LOSSES
from ffspec.spec.metrics import METRICS, Metric
from ffspec.spec.optimizers import OPTIMIZERS
from ffspec.spec.root import Spec
from ffspec.spec.schedulers import SCHEDULERS
from ffspec.spec.sweep import RANGES, Sweep
from ffspec.spec.training import Checkpoint, EarlyStopping, Schedules, Training

ROOT = Path(__file__).parent.parent
PAGES = ("docs/spec.md", "docs/tutorial.md", "docs/rules.md")

SPECS = (
    "perceptron",
    "heaviside_perceptron",
    "linear_regression",
    "logistic_regression",
    "xor",
    "feedforward",
    "feedforward_sweep",
    "deep_mlp",
    "penguins",
    "diamonds",
)
"""The shipped specs, smallest first."""

GUARD = 10_000
"""A bound this far out only keeps absurd values away, and is not worth a word."""


def main() -> None:
    """Write the tables of every page anew."""
    for name in PAGES:
        path = ROOT / name
        path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")


def updated(page: str) -> str:
    """Return a page with its tables as they follow from the code.

    Raises:
        KeyError: It asks for a table that does not exist.
    """
    return re.sub(
        r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)",
        lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}",
        page,
        flags=re.DOTALL,
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def components(members: Iterable[type[Component]]) -> str:
    """Return the table of a family: name, meaning, arguments; the one that may stand alone is bold."""
    rows = []
    for member in members:
        arguments = "<br>".join(argument(name, field, member.sole) for name, field in fields(member))
        rows.append((f"`{member.name}`", summary(member), arguments))
    return table(("name", "what it is", "arguments"), rows)


def keys(node: type[Node]) -> str:
    """Return the table of a mapping's keys: name, default, meaning."""
    rows = [
        (f"`{name}`", "required" if field.is_required() else default(field), meaning(field))
        for name, field in fields(node)
    ]
    return table(("key", "default", "meaning"), rows)


def metrics() -> str:
    """Return the table of metrics."""
    kinds, better = {"classes": "classes", "values": "numbers"}, {True: "larger", False: "smaller"}
    rows = [(f"`{one.name}`", kinds[one.target], better[one.maximize], _computed(one)) for one in METRICS]
    return table(("name", "target", "better", "computed by"), rows)


def _computed(metric: Metric) -> str:
    if metric.function:
        return f"`sklearn.metrics.{metric.function}`"
    if metric.quantile is not None:
        return f"the {100 * metric.quantile:g} % quantile of the absolute errors"
    return "the expected calibration error: 15 bins of the highest probability (Naeini et al. 2015)"


def specs() -> str:
    """Return the table of shipped specs: a link to each, and the first sentences of its comment."""
    rows = [(f"[{name}](../specs/{name}.yaml)", headline(ROOT / "specs" / f"{name}.yaml")) for name in SPECS]
    return table(("spec", "what it shows"), rows)


KINDS = {
    "FF0": "Reading a spec and its data, and whether its parts fit together",
    "FF1": "The network, its loss and its training",
    "FF2": "The rows",
    "FF3": "The untrained network, and the training",
}
"""What the codes that begin so are about."""


def rules() -> str:
    """Return the list of all codes, and an entry for each."""
    parts = []
    for start, title in KINDS.items():
        found = [code for code in codes() if code.code.startswith(start)]
        rows = [(f"[{code.code}](#{code.code.lower()})", code.severity.value, code.title) for code in found]
        parts += [f"### {title}", table(("code", "severity", "what it is"), rows), *map(entry, found)]
    return "\n\n".join(parts)


def entry(code: Code) -> str:
    """Return the entry of one code: why, wrong, right, and where it is known from."""
    kind = f"{code.severity.value}, can be let through" if code.optional else code.severity.value
    parts = [f"#### {code.code}", f"**{code.title}** ({kind}). {code.reason}"]
    for word, example in (("Wrong", code.wrong), ("Right", code.right)):
        text = example.rstrip("\n") or "(an empty file)"
        parts.append(f"{word}:\n\n```text\n{text}\n```")
    return "\n\n".join([*parts, *([f"Known from: {code.source}."] if code.source else [])])


def headline(spec: Path) -> str:
    """Return the line below the modeline of a spec."""
    return spec.read_text(encoding="utf-8").splitlines()[1].removeprefix("# ")


def fields(node: type[Node]) -> list[tuple[str, FieldInfo]]:
    """Return the fields of a node by name, the annotations resolved."""
    node.model_rebuild()
    return list(node.model_fields.items())


def argument(name: str, field: FieldInfo, sole: str | None) -> str:
    """Return one argument in a line."""
    shown = f"**`{name}`**" if name == sole else f"`{name}`"
    value = default(field)
    shown += " (required)" if field.is_required() else f" = {value}" if value else ""
    return f"{shown}: {meaning(field)}"


def default(field: FieldInfo) -> str:
    """Return a default as YAML says it, or nothing where leaving out has a meaning of its own."""
    value = field.get_default(call_default_factory=True)
    return "" if value is None or value == () or isinstance(value, Node) else f"`{written(value)}`"


def written(value: Any) -> str:
    """Return a plain value as YAML says it; a long fraction in four digits."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, float):
        return re.sub(r"e([+-])0", r"e\1", repr(value) if len(repr(value)) <= 8 else f"{value:.4g}")
    return str(value)


def meaning(field: FieldInfo) -> str:
    """Return what a field means, its choices and its bounds."""
    choices = [f"`{choice}`" for kind in kinds_of(field.annotation, tuple(field.metadata)) for choice in literals(kind)]
    notes = [note for note in (", ".join(choices), interval(field.metadata)) if note]
    text = field.description or ""
    return f"{text} ({'; '.join(notes)})" if notes else text


def literals(kind: Any) -> tuple[str, ...]:
    """Return the words a plain value may be."""
    return tuple(word for word in get_args(kind) if isinstance(word, str)) if get_origin(kind) is Literal else ()


def interval(constraints: Iterable[object]) -> str:
    """Return the bounds of a number, unless they only say that it is positive."""
    bounds: dict[str, float] = {}
    for constraint in constraints:
        for name in ("ge", "gt", "le", "lt"):
            bound = getattr(constraint, name, None)
            if isinstance(bound, int | float) and abs(bound) < GUARD:
                bounds[name] = bound
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if high is None:
        return "" if low is None or low <= 1 else f"at least {low:g}"
    if low is None:
        return f"at most {high:g}"
    return f"{'[' if 'ge' in bounds else '('}{low:g}, {high:g}{']' if 'le' in bounds else ')'}"


def summary(member: type[Component]) -> str:
    """Return the docstring of a component in one line."""
    return " ".join((member.__doc__ or "").split())


TABLES: dict[str, Callable[[], str]] = {
    "keys": lambda: keys(Spec),
    "datasets": lambda: components(SOURCES),
    "split": lambda: keys(Split),
    "prepare": lambda: keys(Prepare),
    "layers": lambda: components(LAYERS),
    "inits": lambda: components(INITS),
    "losses": lambda: components(LOSSES),
    "optimizers": lambda: components(OPTIMIZERS),
    "groups": lambda: keys(ParameterGroup),
    "schedulers": lambda: components(SCHEDULERS),
    "training": lambda: keys(Training),
    "schedules": lambda: keys(Schedules),
    "early_stopping": lambda: keys(EarlyStopping),
    "checkpoint": lambda: keys(Checkpoint),
    "metrics": metrics,
    "sweep": lambda: keys(Sweep),
    "ranges": lambda: components(RANGES),
    "specs": specs,
    "codes": rules,
}

if __name__ == "__main__":
    main()
