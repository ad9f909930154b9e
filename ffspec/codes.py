"""The codes of what can be wrong with the form of a spec, each with its reason and an example of wrong and right."""

from __future__ import annotations

from dataclasses import dataclass

from ffspec.diagnostics import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The long form of a code, as `ffspec explain` prints it."""

    code: str
    title: str
    reason: str
    """Why it is refused, and how to put it right."""
    wrong: str
    right: str
    spec: bool = True
    """Whether `wrong` and `right` are parts of a spec, top-level keys with their values, or told in words."""
    severity: Severity = Severity.ERROR
    """How much it weighs as a rule; a single finding may weigh less."""
    optional: bool = False
    """Whether it may be let through, by --allow or a comment: there is a network that can be trained all the same."""
    source: str = ""
    """Where it is known from: papers, maintainers' words, measurements."""


CODES: tuple[Code, ...] = (
    Code(
        code="FF001",
        title="the spec cannot be read",
        reason="A spec is a regular file of at most 1 MiB, or standard input, written '-'. Directories, pipes by "
        "name and devices are refused, because reading one may never end.",
        wrong="ffspec check specs/",
        right="ffspec check specs/xor.yaml",
        spec=False,
    ),
    Code(
        code="FF002",
        title="the text is not UTF-8, or holds a character that may not stand in YAML",
        reason="Every editor saves UTF-8 today, and a guess at another encoding would change names silently. A "
        "byte order mark is fine. Control characters may not stand in YAML at all.",
        wrong="a file saved as Latin-1 or UTF-16",
        right="the same file saved as UTF-8",
        spec=False,
    ),
    Code(
        code="FF003",
        title="the text is no YAML",
        reason="Keys and values are 'key: value', lists are '- item' or '[item, item]', and what belongs "
        "together is indented alike. Texts that begin with a special character, or hold ': ' or ' #', "
        "need quotes.",
        wrong="name: xor\n  seed: 1\n",
        right="name: xor\nseed: 1\n",
    ),
    Code(
        code="FF004",
        title="a key stands twice in one mapping",
        reason="Most YAML readers silently keep the last one; whoever reads the file sees the first.",
        wrong="training:\n  epochs: 10\n  epochs: 20\n",
        right="training:\n  epochs: 20\n",
    ),
    Code(
        code="FF005",
        title="a YAML construct that a spec does not need",
        reason="Anchors, aliases and merge keys can make a short file unfold into gigabytes; tags can name code; "
        "tabs look like any number of spaces; a second document would be ignored. For equal layers there "
        "is 'repeat'.",
        wrong="layers: [&hidden {linear: 8}, relu, *hidden, relu, linear]\n",
        right="layers:\n  - repeat: {times: 2, layers: [{linear: 8}, relu]}\n  - linear\n",
    ),
    Code(
        code="FF006",
        title="the spec is nested too deeply, or is too large",
        reason="Lists and mappings may nest 32 deep, and a spec may hold 20,000 keys and values on 20,000 lines. "
        "What is larger is data, and belongs in a file of its own.",
        wrong=f"description: {'[' * 40}{']' * 40}\n",
        right="description: '[[]]'\n",
    ),
    Code(
        code="FF007",
        title="a key is not text",
        reason="Keys name things. A number, true, false or nothing in the place of a key is a slip, or needs quotes.",
        wrong="training:\n  1: epochs\n",
        right="training:\n  epochs: 1\n",
    ),
    Code(
        code="FF008",
        title="a number that cannot be represented, or that readers of YAML disagree about",
        reason="Numbers must be finite and fit a 64-bit float, and integers may have 100 digits. A whole number "
        "must not start with 0: YAML 1.1 reads 010 as 8, and YAML 1.2 as 10.",
        wrong="seed: 010\n",
        right="seed: 10\n",
    ),
    Code(
        code="FF009",
        title="the spec is no mapping",
        reason="A spec is a mapping from 'dataset', 'layers', 'loss' and the other top-level keys to their values.",
        wrong="",
        right="dataset: iris\nlayers: [linear]\nloss: cross_entropy\noptimizer: adam\n",
    ),
    Code(
        code="FF010",
        title="an override leads nowhere",
        reason="--set takes a path of keys, component names and item numbers, then '=' and a value as it would "
        "stand in the file. To set an argument, the path must name the component that is there.",
        wrong="--set optimizer.lr=0.1",
        right="--set optimizer.sgd.lr=0.1",
        spec=False,
    ),
    Code(
        code="FF011",
        title="a required key is missing",
        reason="There is no default that would fit: say what is meant.",
        wrong="layers:\n  - repeat: {layers: [{linear: 8}, relu]}\n",
        right="layers:\n  - repeat: {times: 2, layers: [{linear: 8}, relu]}\n",
    ),
    Code(
        code="FF012",
        title="an unknown key",
        reason="A misspelt key that is ignored silently trains another network than the one that was meant.",
        wrong="training: {epoch: 10}\n",
        right="training: {epochs: 10}\n",
    ),
    Code(
        code="FF013",
        title="the wrong kind of value",
        reason="Values are taken as they are written and never converted: 10.0 is no whole number, 'no' in YAML "
        "1.2 is a text and not false, and what stands in quotes is text.",
        wrong="training: {shuffle: no}\n",
        right="training: {shuffle: false}\n",
    ),
    Code(
        code="FF014",
        title="an unknown layer, loss, optimizer, scheduler, dataset, initialiser or metric",
        reason="Names are PyTorch's class names in snake case without the dimension (leaky_relu, batch_norm, "
        "cross_entropy), and scikit-learn's for data sets and metrics. The set is closed: no spec can "
        "name Python code.",
        wrong="loss: CrossEntropyLoss\n",
        right="loss: cross_entropy\n",
    ),
    Code(
        code="FF015",
        title="a value out of its bounds",
        reason="Bounds are PyTorch's own, or keep what a spec can ask for within what a machine can do.",
        wrong="optimizer: {sgd: {lr: -1}}\n",
        right="optimizer: {sgd: {lr: 1}}\n",
    ),
    Code(
        code="FF016",
        title="a component in the wrong form",
        reason="A component is its name, or a mapping with its name as the only key and its arguments below; "
        "where one argument is the obvious one, it may stand alone: linear: 64.",
        wrong="layers:\n  - linear: 8\n    bias: false\n",
        right="layers:\n  - linear: {out_features: 8, bias: false}\n",
    ),
    Code(
        code="FF017",
        title="an ignore comment that ignores nothing",
        reason="'# ffspec: ignore[FF116] reason' lets what is found on its line through. Where nothing is found any "
        "more, "
        "it hides the next fault; where its code is misspelt, or must not be ignored, it never did anything.",
        wrong="loss: cross_entropy  # ffspec: ignore[FF101] deliberate\n",
        right="loss: cross_entropy\n",
        severity=Severity.WARNING,
    ),
    Code(
        code="FF018",
        title="a spec that cannot be written as a script",
        reason="'ffspec eject' writes a script that computes the same bits as the run, and leaves nothing out. Arrays "
        "handed over in Python are not in the spec, on a GPU bits are not promised, and a measure that is undefined "
        "on the rows of its split can be neither monitored nor checked.",
        wrong="dataset: arrays\n",
        right="dataset:\n  csv: {path: rows.csv, target: y}\n",
    ),
    Code(
        code="FF019",
        title="a sweep that cannot be made",
        reason="The path of an axis is one that --set takes: keys, the names of the components that are there, and "
        "numbers of items, the first being 0. What is tried is chosen by the validation split, so there must be one. "
        "Where several processes are to share a sweep, its storage is named on the command line, or lies in the folder "
        "of the spec.",
        wrong="optimizer: {sgd: {lr: 0.1}}\nsweep: {axes: {optimizer.lr: [0.1, 1.0]}, method: grid}\n",
        right="optimizer: {sgd: {lr: 0.1}}\nsweep: {axes: {optimizer.sgd.lr: [0.1, 1.0]}, method: grid}\n",
    ),
)


def explanation(code: Code) -> str:
    """Return the long form of a code: what it means, why, wrong and right."""
    parts = [f"{code.code} ({code.severity.value}): {code.title}", code.reason]
    for word, example in (("Wrong", code.wrong), ("Right", code.right)):
        lines = example.splitlines() or ["(an empty file)"]
        parts.append("\n".join([f"{word}:", *(f"    {line}" for line in lines)]))
    if code.source:
        parts.append(f"Known from: {code.source}")
    if code.optional:
        parts.append(f"To let it through: --allow {code.code}, or '# ffspec: ignore[{code.code}] reason' on the line.")
    return "\n\n".join(parts)
