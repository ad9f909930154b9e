"""Leaving ffspec: a spec as a plain script of PyTorch, which computes the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.diagnostics import Diagnostic, SpecError
from ffspec.spec.tables import Arrays, Table

if TYPE_CHECKING:
    import pathlib

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject
    from ffspec.spec.root import Spec
    from ffspec.spec.step import Step

DERIVE = '''\
def derive(name, bits=63):
    """Return the seed of the random stream called `name`, so that no use of chance shifts another."""
    digest = blake2b(f"{SEED}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - bits)'''


def eject(spec: Spec, *, name: str | None = None, file: pathlib.Path | None = None, allow_outside: bool = False) -> str:
    """Return a script that trains the network of a spec without ffspec, to the same bits.

    It is written from the Plan, and torch is not imported for it; the rows are read once, for what only they can tell:
    widths, kinds of columns, whether every split can have its share of every class.

    Args:
        spec: The spec.
        name: What the spec is called; its own name if left out.
        file: Where the script will be, so that it finds its data from there; if left out, paths are as they stand in
            the spec.
        allow_outside: Whether data files may lie outside the spec's folder.

    Raises:
        SpecError: FF018 a script cannot say it, or the data cannot be used.
    """
    _refuse(spec)
    from ffspec.export.subject import survey

    return _script(survey(spec, allow_outside=allow_outside), name or spec.name or "a spec", file)


def _refuse(spec: Spec) -> None:
    """Refuse what a script cannot say.

    Raises:
        SpecError: FF018, with the reason.
    """
    if isinstance(spec.dataset.source, Arrays):
        message = "a script has no arrays handed over: its rows must be in a file, in the spec, or drawn"
        hint = "write them to a file, and name it: csv: {path: rows.csv, target: y}"
        raise SpecError((Diagnostic(code="FF018", message=message, path=("dataset",), hint=hint),))
    if isinstance(spec.dataset.source, Table) and spec.dataset.source.weight is not None:
        message = "a script has no weights of rows"
        path = ("dataset", spec.dataset.source.name, "weight")
        hint = "leave the column out of the data, or train with ffspec"
        raise SpecError((Diagnostic(code="FF018", message=message, path=path, hint=hint),))
    if spec.dataset.buffer is not None:
        message, path = "a script has all rows in memory", ("dataset", spec.dataset.source.name, "streaming")
        hint = "leave streaming out, if they fit"
        raise SpecError((Diagnostic(code="FF018", message=message, path=path, hint=hint),))
    if spec.training.device != "cpu":
        message = f"a script computes the same bits on the CPU only, found device: {spec.training.device}"
        hint = "write it for the CPU: --set training.device=cpu"
        raise SpecError((Diagnostic(code="FF018", message=message, path=("training", "device"), hint=hint),))


def _script(subject: Subject, name: str, file: pathlib.Path | None) -> str:
    from ffspec.export.division import add_division
    from ffspec.export.fitting import add_fitting
    from ffspec.export.measures import add_evaluation
    from ffspec.export.network import add_network
    from ffspec.export.objective import add_objective
    from ffspec.export.preparing import add_preparation
    from ffspec.export.script import Script
    from ffspec.export.source import add_source
    from ffspec.export.steps import add_optimizer
    from ffspec.export.training import add_start, add_training
    from ffspec.export.weights import add_weights

    script = Script()
    directory = None if file is None else file.parent
    _add_settings(script, subject)
    add_source(script, subject, directory)
    add_division(script, subject)
    add_preparation(script, subject)
    _add_splits(script, subject)
    add_network(script, subject)
    add_weights(script, subject)
    add_start(script, subject)
    add_fitting(script, subject)
    add_objective(script, subject)
    add_evaluation(script, subject)
    add_optimizer(script, subject)
    add_training(script, subject)
    return script.text(_docstring(script, subject, name, file))


def _add_settings(script: Script, subject: Subject) -> None:
    script.use("torch")
    script.use("hashlib", "blake2b")
    training = subject.spec.training
    lines = [f"SEED = {subject.spec.seed}", f"EPOCHS = {subject.plan.epochs}"]
    sizes = [one.batch_size for one in subject.trainings if one.batch_size is not None]
    lines += [f"BATCH_SIZE = {size}" for size in sizes[:1]]
    script.add(*lines, "HERE = Path(__file__).parent")
    note = "a second thread would change the last bits" if training.threads == 1 else "the last bits depend on it"
    script.add(f"torch.set_num_threads({training.threads})  # {note}")
    if subject.autocast and any("RMSNorm" in step.call.target for step in _walk(subject)):
        script.use("warnings")
        script.add('warnings.filterwarnings("ignore", message="Mismatch dtype between input and weight")')
    script.add(DERIVE)


def _walk(subject: Subject) -> list[Step]:
    from ffspec.planner import walk

    return list(walk(subject.plan.steps))


def _add_splits(script: Script, subject: Subject) -> None:
    """Add what makes tensors of the rows."""
    dtype = subject.dtype
    if len(subject.rows) == 1:
        script.add(
            f'splits = {{"train": (torch.tensor(x[train], dtype={dtype}), torch.tensor(y[train]))}}',
            'x_train, y_train = splits["train"]',
        )
        return
    pairs = ", ".join(f'("{name}", {name})' for name in subject.rows)
    script.add(
        "splits = {}",
        f"for name, rows in ({pairs}):",
        f"    splits[name] = torch.tensor(x[rows], dtype={dtype}), torch.tensor(y[rows])",
        'x_train, y_train = splits["train"]',
    )


def _docstring(script: Script, subject: Subject, name: str, file: pathlib.Path | None) -> str:
    from ffspec.export.tables import path_from
    from ffspec.export.text import docstring, listing

    packages = {"sklearn": "scikit-learn"}
    needed = sorted(packages.get(module, module) for module in script.modules)
    source = subject.spec.dataset.source
    parts = [f"Train the network of {name}, {subject.plan.parameters:,} parameters, without ffspec."]
    if subject.spec.description:
        parts.append(subject.spec.description.strip())
    parts.append(f"    pip install {' '.join(needed)}\n    python {file.name if file else 'train.py'}")
    parts.append(
        "It prints the loss of every epoch, evaluates every split in eval mode before and after, and saves the weights "
        "as model.safetensors beside this file. With the same versions on the same machine, losses and weights are "
        "those of the spec's own run, bit for bit."
    )
    if subject.again is not None:
        epochs = "as many epochs as were best" if subject.spec.training.early_stopping else "as many epochs"
        parts.append(
            "It trains two networks from the same first weights: one on the training rows, and then another, for "
            f"{epochs}, on the rows of training and validation together, which is tested and saved."
        )
    if isinstance(source, Table):
        directory = None if file is None else file.parent
        files = listing([path_from(directory, subject, path) for path in (source.path, *source.files.values())])
        parts.append(f"The rows are read from {files}; paths begin at the folder of this file.")
    return docstring(parts)
