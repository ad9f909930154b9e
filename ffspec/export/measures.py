"""The evaluation of a script: loss and metrics of a split in eval mode, and the proof that looking changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ffspec.diagnostics import Diagnostic, Path, SpecError
from ffspec.export.calibration import output_of, probability_of
from ffspec.export.classes import add_classes
from ffspec.export.objective import scaled, target_of, training_target, unit_of
from ffspec.export.text import WIDTH, call, listing, literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject
    from ffspec.spec.metrics import Metric

CHECK = '''\
def check(when):
    """Evaluate every split, and prove that looking changed nothing."""
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    results = {name: evaluate(name) for name in splits}
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name]), f"evaluating changed {name}"
    for name, measures in results.items():
        print(when, name, *(f"{key} {value}" for key, value in measures.items()), sep="  ")
    return results'''


def add_evaluation(script: Script, subject: Subject) -> None:
    """Add the functions `evaluate` and `check`."""
    measured = [metric for metric in subject.metrics if any(_everywhere(subject, metric))]
    plain = scaled(subject) and not unit_of(subject)  # a loss in units of its own
    target = training_target(subject, "y") if plain else target_of(subject, "y")
    name = "y" if target == "y" else "target"
    output = "model[-1].standardise(output)" if plain else "output"
    shape = f"(len(y), {subject.classes})" if subject.spec.loss.target == "index" else f"{name}.shape"
    autocast = ', torch.autocast("cpu", torch.bfloat16)' if subject.autocast else ""
    names = listing(["the loss", *(metric.name for metric in measured)])
    lines = [
        "def evaluate(name, threshold=None):" if subject.spec.training.threshold else "def evaluate(name):",
        *_told(f"Return {names} of a split, in eval mode."),
        "    x, y = splits[name]",
        *([f"    target = {target}"] if target != "y" else []),
        "    model.eval()",
        "    assert not any(module.training for module in model.modules())",
        f"    with torch.inference_mode(){autocast}:",
        f"        output = {output_of(subject, max(max(one.sizes.values()) for one in subject.trainings))}",
        f"        loss = criterion({output}, {name}).item()",
        "    model.train()",
        f"    assert output.shape == {shape}  # else the loss would compare every row with every other"
        if shape.endswith(".shape")
        else f"    assert output.shape == {shape}",
        "    assert output.isfinite().all() and math.isfinite(loss)",
        *_results(script, subject, measured),
    ]
    script.use("math")
    helpers = ["expected_calibration_error"] if any(metric.name == "ece" for metric in measured) else []
    add_classes(script, [*helpers, *(["best_threshold"] if subject.spec.training.threshold else [])])
    script.add(*lines)
    script.add(_thresholded(CHECK) if subject.spec.training.threshold else CHECK)


def _thresholded(text: str) -> str:
    """Hand the threshold on to the evaluation."""
    return text.replace("def check(when)", "def check(when, threshold=None)").replace(
        "evaluate(name) for", "evaluate(name, threshold) for"
    )


def require_defined(subject: Subject, measure: str, path: Path) -> None:
    """Refuse a measure that the rows leave undefined.

    Raises:
        SpecError: FF018, they do.
    """
    split, _, name = measure.partition(".")
    metric = next((metric for metric in subject.metrics if metric.name == name), None)
    if metric is not None and not _defined(subject, metric, split):
        message = f"a script cannot say {measure}: {name} is undefined on the rows of {split}"
        raise SpecError((Diagnostic(code="FF018", message=message, path=path),))


def _told(text: str) -> list[str]:
    line = f'    """{text}"""'
    return [line] if len(line) <= 100 else ['    """Return the loss and the metrics of a split, in eval mode."""']


def _defined(subject: Subject, metric: Metric, split: str) -> bool:
    """Whether a metric has a value on the rows of a split."""
    truth, classes = subject.truth(split), subject.classes
    if classes is None:
        return metric.name not in {"r2", "explained_variance"} or len(truth) > 1
    present = len(np.unique(truth))
    if metric.reading == "score":
        return present == classes and (classes == 2 or not metric.binary_only)
    if metric.reading == "probability":
        return probability_of(subject) is not None
    return metric.reading != "output" and (metric.name not in {"matthews_corrcoef", "cohen_kappa"} or present > 1)


def _everywhere(subject: Subject, metric: Metric) -> Iterator[bool]:
    """Yield of each split that is evaluated whether a metric has a value on its rows."""
    return (_defined(one, metric, name) for one in subject.trainings for name in one.rows)


def _results(script: Script, subject: Subject, measured: list[Metric]) -> list[str]:
    """Return the lines that read predictions off the output and measure them."""
    if not measured:
        return ['    return {"loss": loss}']
    sure = [metric for metric in measured if all(_everywhere(subject, metric))]
    lines = _readings(subject, measured)
    values = {metric.name: _value(script, subject, metric) for metric in measured}
    items = ['"loss": loss', *(f"{literal(metric.name)}: {values[metric.name]}" for metric in sure)]
    head = "return {" if len(sure) == len(measured) else "measures = {"
    line = f"    {head}{', '.join(items)}}}"
    lines += [line] if len(line) <= 100 else [f"    {head}", *(_item(item) for item in items), "    }"]
    if len(sure) < len(measured):
        script.use("numpy as np")
        for metric in measured:
            if metric not in sure:
                lines += _sometimes(subject, metric, values[metric.name])
        lines.append("    return measures")
    return lines


def _sometimes(subject: Subject, metric: Metric, value: str) -> list[str]:
    """Return the lines that measure what is undefined on some split."""
    head = f"        measures[{literal(metric.name)}] = "
    lines = [f"    if {_condition(subject, metric)}:  # else it is undefined"]
    if len(head) + len(value) <= WIDTH:
        return [*lines, head + value]
    return [*lines, f"{head}(", f"            {value}", "        )"]


def _item(item: str) -> str:
    name, _, value = item.partition(": ")
    line = f"        {item},"
    if len(line) <= 100:
        return line
    function, _, arguments = value.partition("(")
    return call(function, arguments.removesuffix(")").split(", "), head=f"{name}: ", tail=",", indent=8)


def _condition(subject: Subject, metric: Metric) -> str:
    if subject.classes is None:
        return "len(truth) > 1"
    return f"len(np.unique(truth)) == {subject.classes}" if metric.reading == "score" else "len(np.unique(truth)) > 1"


def _readings(subject: Subject, measured: list[Metric]) -> list[str]:
    """Return the lines that define what the metrics are computed from."""
    wanted: set[str] = {metric.reading for metric in measured}
    chosen = subject.spec.training.threshold is not None and "prediction" in wanted
    if chosen:
        wanted.add("probability")
    lines = ["    truth = y.numpy()"]
    loss, classes = subject.spec.loss, subject.classes
    if classes is None:
        return [*lines, f"    predicted = output.double(){'.exp()' if loss.output == 'log_rate' else ''}.numpy()"]
    several = subject.plan.output[-1] != 1 or loss.target == "index"
    made = _several(subject, wanted) if several else _column(subject, wanted)
    if chosen:
        made += ["if threshold is not None:", "    predicted = (probability[:, 1] >= threshold).astype(int)"]
    return [*lines, *(f"    {line}" for line in made)]


def _several(subject: Subject, wanted: set[str]) -> list[str]:
    """Read classes off a column for each."""
    loss = subject.spec.loss
    near = loss.output == "distance"
    lines = []
    if "prediction" in wanted:
        lines.append(f"predicted = {'(-output)' if near else 'output'}.argmax(dim=1).numpy()")
    probability = probability_of(subject)
    if probability and wanted & {"score", "probability"}:
        lines.append(f"probability = {probability}.numpy()")
    if "score" in wanted:
        score = "probability" if probability else f"{'-' if near else ''}output.double().numpy()"
        lines.append(f"score = {score}")
        if subject.plan.output[-1] == 2:
            lines.append("score = score[:, 1] - score[:, 0]")
    return [*lines, *_even(subject, wanted)]


def _column(subject: Subject, wanted: set[str]) -> list[str]:
    """Read the second of two classes off one column."""
    loss = subject.spec.loss
    bound = {"logit": "0", "margin": "0", "distance": "0"}.get(loss.output, "0.5")
    column = "output.double().squeeze(1)"
    if loss.output == "distance":
        column = f"{literal(float(getattr(loss, 'margin', 1.0)) / 2)} - {column}"
    elif loss.output == "log_rate":
        column += ".exp()"
    lines = [f"score = {column}"]
    if "prediction" in wanted:
        lines.append(f"predicted = (score >= {bound}).long().numpy()")
    if "probability" in wanted and (chance := {"logit": "score.sigmoid()", "probability": "score"}.get(loss.output)):
        if chance != "score":
            lines.append(f"chance = {chance}")
        name = "score" if chance == "score" else "chance"
        lines.append(f"probability = torch.stack([1 - {name}, {name}], dim=1).numpy()")
    if "score" in wanted:
        lines.append("score = score.numpy()")
    return [*lines, *_even(subject, wanted)]


def _even(subject: Subject, wanted: set[str]) -> list[str]:
    """Make rows of probabilities that need not sum to one do so, for metrics of more than two classes."""
    if "probability" not in wanted or subject.classes in (1, 2) or probability_of(subject) is None:
        return []
    return ["shares = probability + 1e-300", "shares = shares / shares.sum(axis=1, keepdims=True)"]


def _value(script: Script, subject: Subject, metric: Metric) -> str:
    """Return a metric as a call of scikit-learn."""
    classes = subject.classes
    if metric.name == "ece":
        return f"expected_calibration_error(torch.from_numpy({'probability' if classes == 2 else 'shares'}), y)"
    if metric.quantile is not None:
        script.use("numpy as np")
        return f"np.quantile(abs(truth - predicted), {metric.quantile}, axis=0).mean()"
    function = "recall_score" if metric.name == "balanced_accuracy" else metric.function
    script.use("sklearn.metrics", function)
    if classes is None:
        flat = ".ravel()" if metric.name == "max_error" else ""
        return f"{function}(truth{flat}, predicted{flat})"
    if metric.reading == "score":
        if classes == 2:
            return f"{function}(truth, score)"
        return f"sum({function}(truth == label, score[:, label]) for label in range({classes})) / {classes}"
    if metric.reading == "probability":
        if classes == 2 and metric.name == "brier":
            return f"{function}(truth, probability[:, 1], pos_label=1)"
        name = "probability" if classes <= 2 else "shares"
        return f"{function}(truth, {name}, labels={_labels(classes)})"
    return f"{function}(truth, predicted{_averaged(script, metric, classes)})"


def _averaged(script: Script, metric: Metric, classes: int) -> str:
    if metric.name == "balanced_accuracy":
        script.use("numpy as np")
        return ', average="macro", labels=np.unique(truth)'
    arguments = dict(metric.arguments)
    if "average" not in arguments:
        return ""
    if classes == 2:
        return ", zero_division=0"
    return f', average="macro", labels={_labels(classes)}, zero_division=0'


def _labels(classes: int) -> str:
    return "[0, 1]" if classes == 2 else f"list(range({classes}))"
