"""Write the JSON Schema of a spec, for the package and for the docs: `python -m tests.generate_schema`."""

from __future__ import annotations

from pathlib import Path

from ffspec import schema
from ffspec.cli.schema import FILE

COPIES = (FILE, Path(__file__).parents[1] / "docs" / FILE.name)

if __name__ == "__main__":
    for copy in COPIES:
        copy.write_text(schema.text(), encoding="utf-8")
