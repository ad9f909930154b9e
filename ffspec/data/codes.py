"""The codes of what can be wrong with data, each with its reason and an example of wrong and right."""

from __future__ import annotations

from ffspec.codes import Code

CODES: tuple[Code, ...] = (
    Code(
        code="FF030",
        title="a data file cannot be read",
        reason="A data file is a regular file, named relative to the spec: CSV in UTF-8 with a header line, every line "
        "with as many cells as the header, or Parquet. What is behind a web address may be another thing tomorrow, so "
        "it is not read.",
        wrong="dataset:\n  csv: {path: 'https://example.org/penguins.csv', target: species}\n",
        right="dataset:\n  csv: {path: penguins.csv, target: species}\n",
    ),
    Code(
        code="FF031",
        title="a column is not in the table",
        reason="Every column the spec names must be in the file, in the same spelling; files for validation and test "
        "need the columns that are used.",
        wrong="dataset:\n  csv: {path: penguins.csv, target: Species}\n",
        right="dataset:\n  csv: {path: penguins.csv, target: species}\n",
    ),
    Code(
        code="FF032",
        title="cells are missing where that is not allowed",
        reason="A network cannot compute with a missing number, and what stands in for it changes the result, so the "
        "spec has to say what that is. A row without a target teaches nothing: leave it out with missing_target: drop.",
        wrong="dataset:\n  csv: {path: penguins.csv, target: species}\n",
        right="dataset:\n  csv: {path: penguins.csv, target: species}\n  prepare: {missing: median}\n",
    ),
    Code(
        code="FF033",
        title="a column holds the wrong kind of value",
        reason="A feature is a column of finite numbers, or of booleans or a few different texts, which become one "
        "feature each. A column of numbers with a few texts among them has marks of missing cells, or slips. A column "
        "of names would become as many features as there are rows.",
        wrong="a column 'age' with the cells 31, n/a and 54\n",
        right="dataset:\n  csv: {path: people.csv, target: income, null_values: [n/a]}\n  prepare: {missing: median}\n",
        spec=False,
    ),
    Code(
        code="FF034",
        title="the target does not fit the loss",
        reason="A loss tells classes apart or fits numbers. Texts and booleans are classes, fractions are numbers; "
        "whole numbers are whichever the loss needs, unless task says which.",
        wrong="dataset:\n  csv: {path: penguins.csv, target: species}\n  prepare: {missing: median}\nloss: mse\n",
        right="dataset:\n  csv: {path: penguins.csv, target: body_mass_g}\n  prepare: {missing: median}\nloss: mse\n",
        spec=False,
    ),
    Code(
        code="FF035",
        title="the rows cannot be split so",
        reason="The training split needs a row, the splits together cannot have more rows than there are, and in a "
        "stratified split every split has a row of every class. A split column says train, validation or test in "
        "every row.",
        wrong="dataset:\n  csv: {path: penguins.csv, target: species}\n  split: {test: 1000}\n",
        right="dataset:\n  csv: {path: penguins.csv, target: species}\n  split: {test: 0.2}\n"
        "  prepare: {missing: median}\n",
    ),
    Code(
        code="FF036",
        title="arrays are missing, or their shapes do not fit",
        reason="X has the shape (rows, features) and y as many rows. A data set of arrays is handed over in Python; "
        "the command has none.",
        wrong="ffspec.run(spec, data=(X[:100], y))",
        right="ffspec.run(spec, data=(X, y)), or data={'train': (X, y), 'test': (X_test, y_test)}",
        spec=False,
    ),
    Code(
        code="FF037",
        title="the columns of a table leave nothing to predict from",
        reason="Beside the target there must be a column to predict from. A column without a name is most often the "
        "number of the row, written by another program, and tells nothing of the next row.",
        wrong="a file whose header is ',bill_length_mm,species'\n",
        right="dataset:\n  csv: {path: penguins.csv, target: species, drop: ['']}\n",
        spec=False,
    ),
    Code(
        code="FF038",
        title="a data file outside the folder of the spec",
        reason="A spec may come from a stranger, and so may a run directory. What it names must lie in its own folder "
        "or below, links followed; for a spec from standard input, or given as text, that is the working directory. "
        "Where you know what is read, --allow-outside (allow_outside=True in Python) opens every path; to run the "
        "resolved.yaml of a run directory again, if its data is a file, takes that too.",
        wrong="dataset:\n  csv: {path: ../penguins.csv, target: species}\n",
        right="dataset:\n  csv: {path: penguins.csv, target: species}\n",
    ),
    Code(
        code="FF039",
        title="the data is too large",
        reason="The rows are in memory while a network trains. How much they need is estimated before they are read or "
        "drawn, from below, and compared with what the machine, or its container, can still give: what is refused "
        "would not have fitted. A table may have 100,000 columns.",
        wrong="a Parquet file of a billion rows on a machine with 16 GB",
        right="a part of its rows, or of its columns",
        spec=False,
    ),
)
