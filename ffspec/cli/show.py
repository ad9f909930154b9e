"""`ffspec show`: the network as the planner sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ffspec.cli import options
from ffspec.cli.table import count, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.document import Document
    from ffspec.planner import Plan
    from ffspec.spec.root import Spec
    from ffspec.spec.step import Shape, Step


@click.command()
@options.SPEC
@options.SET
@options.ALLOW
@click.option("--resolved", is_flag=True, help="Print the spec with its recipe, every default and width written out.")
@options.formats("text", "json")
def show(
    specs: tuple[str, ...], overrides: tuple[str, ...], allow: tuple[str, ...], form: str, *, resolved: bool
) -> int:
    """Show each layer with its shapes, parameters and FLOPs, and the loss, the optimizer and the data."""
    import json

    from ffspec import api, document

    shown = [(path, _sound(document.load(path, overrides), allow)) for path in specs]
    if resolved:
        click.echo("---\n".join(api.dump_resolved(spec) for _, spec in shown), nl=False)
    elif form == "json":
        click.echo(json.dumps([_as_json(path, spec, api.plan(spec)) for path, spec in shown], indent=2))
    else:
        click.echo("\n\n".join(_as_text(spec.name or path, spec, api.plan(spec)) for path, spec in shown))
    return 0


def _sound(opened: Document, allow: tuple[str, ...]) -> Spec:
    """Return the spec of a document without errors, in its sweep neither."""
    from ffspec import api, sweeps

    spec = api.sound(opened, allow)
    return spec if spec.sweep is None else sweeps.sound_sweep(opened, allow)[0]


def _as_text(title: str, spec: Spec, plan: Plan) -> str:
    from ffspec import populations
    from ffspec.spec.base import to_plain
    from ffspec.written import gradients_of

    rows = [("", "input", "", _shape(plan.input), "", ""), *_rows(plan.steps, "")]
    rows.append(("", "total", "", "", count(plan.parameters), count(plan.flops)))
    layers = table(("", "layer", "in", "out", "parameters", "FLOPs/row"), rows, left=2)
    parts = [("data", spec.dataset), ("loss", spec.loss), ("optimizer", spec.optimizer), ("scheduler", spec.scheduler)]
    lines = [f"  {name:<10} {_line(to_plain(part))}" for name, part in parts if part is not None]
    place = next(index for index, line in enumerate(lines) if line.startswith("  optimizer")) + 1
    lines[place:place] = [f"  {'groups' * (not index):<10} {line}" for index, line in enumerate(_groups(spec, plan))]
    lines.insert(1, f"  {'rows':<10} {_rows_of(plan)}")
    lines.append(f"  {'training':<10} {_training(spec, plan)}")
    lines.append(f"  {'memory':<10} {_memory(spec, plan)}")
    lines.append(f"  {'gradients':<10} {gradients_of(spec.training, plan)}")
    lines.append(f"  {'members':<10} {populations.described(spec, plan)}")
    if spec.sweep is not None:
        lines.append(f"  {'sweep':<10} {_sweep(spec)}")
    return "\n".join([title, layers, "", *lines])


def _rows(steps: Sequence[Step], prefix: str) -> Iterator[tuple[str, ...]]:
    for index, step in enumerate(steps):
        yield (
            f"{prefix}{index}",
            "  " * prefix.count(".") + _name(step),
            _shape(step.input),
            _shape(step.output),
            count(step.parameters),
            count(step.flops),
        )
        yield from _rows(step.steps, f"{prefix}{index}.")


def _name(step: Step) -> str:
    """Return the torch class, with the arguments that are not shapes."""
    name = step.call.target.partition(".")[2]
    told = {"in_features", "out_features", "num_features", "normalized_shape", "dim"}
    given = [(key, value) for key, value in step.call.arguments.items() if value is not None and key not in told]
    shown = [f"{key}={value}" for key, value in given if (name, key, value) != ("Linear", "bias", True)]
    return f"{name}({', '.join(shown)})" if shown else name


def _shape(shape: Shape) -> str:
    return " x ".join(count(width) for width in shape)


def _rows_of(plan: Plan) -> str:
    named = [f"{name} {count(rows)}" for name, rows in plan.facts.rows.items()]
    return ", ".join(named) or "known once the data is read"


def _training(spec: Spec, plan: Plan) -> str:
    from ffspec.planner import settle

    training = settle(spec, plan.facts).training
    steps = f"{count(plan.steps_per_epoch)} step{'' if plan.steps_per_epoch == 1 else 's'}"
    sizes = {"all": "all rows", "auto": "64 or 256 rows"}
    size = sizes.get(str(training.batch_size), f"{training.batch_size} rows")
    threads = {1: "", "auto": ", as many threads as pay"}.get(training.threads, f", {training.threads} threads")
    return f"{plan.epochs} epochs of {steps} of {size}, {training.precision} on {training.device}{threads}"


def _sweep(spec: Spec) -> str:
    from ffspec.points import as_value, described, space_of

    return described(space_of(spec, as_value(spec)))


def _memory(spec: Spec, plan: Plan) -> str:
    """Say what a training takes at least."""
    from ffspec.limits import shown
    from ffspec.rules.memory import needs, told

    parts = needs(plan, dict(spec))
    unknown = None in {plan.parameters, plan.facts.features, plan.facts.rows.get("train")}
    if not any(parts.values()):
        return "known once the data is read"
    sizes = f"{shown(sum(parts.values()))}: {told(parts)}"
    return f"{sizes}, as far as is known before the data is read" if unknown else sizes


def _groups(spec: Spec, plan: Plan) -> Iterator[str]:
    """Yield a line for each group of parameters, if the optimizer has groups."""
    from ffspec.spec.grouping import described

    groups = getattr(spec.optimizer, "groups", ())
    for (lr, decay), members in described(groups, plan.steps).items() if groups else ():
        yield f"lr x {lr:g}{'' if decay == 1 else f', weight_decay x {decay:g}'}: {', '.join(members)}"


def _line(value: Any) -> str:
    """Write a plain value in one line, in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_line(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_line(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def _as_json(path: str, spec: Spec, plan: Plan) -> dict[str, Any]:
    from ffspec import populations
    from ffspec.rules.memory import needs
    from ffspec.written import gradients_of

    return {
        "file": path,
        "name": spec.name,
        "parameters": plan.parameters,
        "flops": plan.flops,
        "rows": plan.facts.rows,
        "input": plan.input,
        "output": plan.output,
        "steps": [_step(step) for step in plan.steps],
        "loss": str(plan.loss),
        "optimizer": str(plan.optimizer),
        "groups": [*_groups(spec, plan)],
        "memory": needs(plan, dict(spec)),
        "gradients": str(gradients_of(spec.training, plan)),
        "members": populations.described(spec, plan),
        **({} if spec.sweep is None else {"sweep": _sweep(spec)}),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "call": str(step.call),
        "input": step.input,
        "output": step.output,
        "parameters": step.parameters,
        "flops": step.flops,
        "path": step.path,
        "steps": [_step(inner) for inner in step.steps],
    }
