"""The rows of a script: scikit-learn's generators and data sets, numpy where it has none, and rows as they are.

Behind this section, `x` holds the raw features of all rows and `y` the target: class numbers, or columns of values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.export.tables import add_table
from ffspec.export.text import call, comment, filled, literal
from ffspec.spec.generators import Blobs, Generator, Spirals, Xor
from ffspec.spec.packaged import Digits
from ffspec.spec.step import given
from ffspec.spec.tables import Inline, Table

if TYPE_CHECKING:
    import pathlib

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject

COLUMN = "y = y.reshape(-1, 1).astype(np.float64)"


def add_source(script: Script, subject: Subject, directory: pathlib.Path | None) -> None:
    """Add what makes `x` and `y`."""
    source = subject.spec.dataset.source
    if isinstance(source, Generator):
        _add_generator(script, subject, source)
    elif isinstance(source, Inline):
        _add_inline(script, subject, source)
    elif isinstance(source, Table):
        add_table(script, subject, source, directory)
    else:
        _add_packaged(script, subject)


def _add_generator(script: Script, subject: Subject, source: Generator) -> None:
    rows = sum(subject.sizes.values()) if source.sizes() else source.rows
    state = 'derive("data", bits=32)' if source.random_state is None else str(source.random_state)
    splits = "all splits come from one distribution"
    lines = [comment(f"The data: {rows} rows in one draw, so that {splits}." if len(subject.rows) > 1 else "The data.")]
    if isinstance(source, Xor):
        lines += _xor(source, state)
    elif isinstance(source, Spirals):
        lines += _spirals(source, state)
    else:
        name = f"make_{source.name}"
        script.use("sklearn.datasets", name)
        lines.append(call(name, _arguments(source, state), head="x, y = "))
    script.add(*lines, *_labels(subject, source))
    script.use("numpy as np")


def _arguments(source: Generator, state: str) -> list[str]:
    """Return a generator's arguments as text, without those that scikit-learn takes anyway."""
    arguments = [f"n_samples={source.rows}"]
    for name, value in given(source).items():
        if name in {"n_samples", "random_state", "labels"}:
            continue
        # scikit-learn has no number of centres of its own.
        if name == "centers" or value != type(source).model_fields[name].default:
            arguments.append(f"{name}={_argument(name, value)}")
    return [*arguments, f"random_state={state}"]


def _argument(name: str, value: Any) -> str:
    if name == "center_box":
        return f"({', '.join(map(literal, value))})"
    if name == "weights":  # of a list, scikit-learn would add up the shares in another way
        return f"np.array({literal(value)})"
    return "None" if value == "random" else literal(value)


def _labels(subject: Subject, source: Generator) -> list[str]:
    """Return the lines that make the target of the classes as they are drawn."""
    if subject.target.classes is None:
        return _values(subject, source)
    if isinstance(source, Blobs) and source.labels is not None:
        codes = [source.classes.index(label) for label in source.labels]
        return [_noted(filled("y = np.array([", map(str, codes), "])[y]"), "the class of each centre")]
    return []


def _values(subject: Subject, source: Generator) -> list[str]:
    if isinstance(source, Blobs) and source.labels is not None:
        labels = map(literal, map(float, source.labels))
        return [_noted(filled("y = np.array([", labels, "])[y].reshape(-1, 1)"), "the label of each centre")]
    if source.known().target == "values":
        return [] if len(subject.raw.target.names) > 1 else ["y = y.reshape(-1, 1)"]
    return [COLUMN]


def _noted(line: str, note: str) -> str:
    return line if line.endswith("fmt: skip") else f"{line}  # {note}"


def _xor(source: Any, state: str) -> list[str]:
    return [
        f"corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])[np.arange({source.rows}) % 4]",
        *(
            [
                call(
                    f"np.random.RandomState({state}).normal",
                    [f"scale={literal(source.noise)}", "size=corners.shape"],
                    head="x = corners + ",
                )
            ]
            if source.noise
            else ["x = corners"]
        ),
        "y = (corners[:, 0] != corners[:, 1]).astype(np.int64)",
    ]


def _spirals(source: Any, state: str) -> list[str]:
    turns, classes = literal(source.turns), source.n_classes
    return [
        f"random = np.random.RandomState({state})",
        f"y = np.arange({source.rows}) % {classes}  # the arm of each point",
        f"radius = random.uniform(0.1, 1.0, size={source.rows})",
        f"angle = 2 * np.pi * ({turns} * radius + y / {classes})",
        "x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)",
        *([f"x += random.normal(scale={literal(source.noise)}, size=x.shape)"] if source.noise else []),
    ]


def _add_packaged(script: Script, subject: Subject) -> None:
    source = subject.spec.dataset.source
    name = f"load_{source.name}"
    script.use("sklearn.datasets", name)
    arguments = ["return_X_y=True"]
    if isinstance(source, Digits) and source.n_class != 10:
        arguments.insert(0, f"n_class={source.n_class}")
    lines = ["# The data.", call(name, arguments, head="x, y = ")]
    if subject.target.classes is None:
        script.use("numpy as np")
        lines.append("y = y.reshape(-1, 1)" if source.name == "diabetes" else COLUMN)
    script.add(*lines)


def _add_inline(script: Script, subject: Subject, source: Inline) -> None:
    script.use("numpy as np")
    rows = [literal([_short(value) for value in row]) for row in source.rows]
    kind = ", dtype=np.float64" if all(float(value).is_integer() for row in source.rows for value in row) else ""
    script.add("# The data.", filled("x = np.array([", rows, f"]{kind})"), *_inline_target(subject, source))


def _inline_target(subject: Subject, source: Inline) -> list[str]:
    if subject.target.classes is None:
        several = isinstance(source.y[0], tuple)
        items = [
            literal([_short(one) for one in row] if isinstance(row, tuple) else [_short(float(row))])
            for row in source.y
        ]
        if not several:
            numbers = [_short(float(value)) for value in source.y if not isinstance(value, tuple)]
            return [filled("y = np.array([", map(literal, numbers), "], dtype=np.float64).reshape(-1, 1)")]
        return [filled("y = np.array([", items, "], dtype=np.float64)")]
    if tuple(subject.target.classes) == tuple(range(len(subject.target.classes))) and not isinstance(source.y[0], bool):
        return [filled("y = np.array([", map(literal, subject.target.y.tolist()), "])")]
    return [filled("labels = [", map(literal, source.y), "]"), "_, y = np.unique(labels, return_inverse=True)"]


def _short(value: float) -> float | int:
    """Return a whole number without its `.0`."""
    whole = value.is_integer() and abs(value) < 2**53 and str(value) != "-0.0"
    return int(value) if whole else value
