"""Runs ejected scripts one after another in one process that cannot import ffspec: `python -I child.py FOLDER...`.

Each folder holds a `train.py`; what it prints goes to `printed.txt`, a traceback to `failed.txt`. This file is started
by its path and imports nothing of the tests.
"""

import contextlib
import io
import runpy
import sys
import traceback
import warnings
from pathlib import Path


class Forbidden:
    """Finds no module, and says so of ffspec: it must be as if it were not installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse ffspec, and leave every other module to the finders behind."""
        del path, target
        if name.partition(".")[0] == "ffspec":
            message = f"{name} must not be imported here"
            raise ImportError(message)


def main() -> None:
    """Run the scripts."""
    sys.meta_path.insert(0, Forbidden())
    for folder in map(Path, sys.argv[1:]):
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), warnings.catch_warnings():
                warnings.simplefilter("error")
                runpy.run_path(str(folder / "train.py"), run_name="__main__")
        except BaseException:  # noqa: BLE001 - whatever a script does, the next is run
            (folder / "failed.txt").write_text(traceback.format_exc(), encoding="utf-8")
        (folder / "printed.txt").write_text(printed.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    main()
