"""How many ejected scripts agree with the runs of their specs to the last bit: `python -m tests.bench.eject`.

Generates 200 specs that together cover every layer, loss, optimizer, scheduler, preparation and form of split, runs
each, and runs its script in a process without ffspec. Ends with 1 if a printed number or a bit of the weights differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.bench.measure import machine
from tests.eject.agreement import disagreements, run_together
from tests.eject.generated import run_generated

AT_ONCE = 40
"""Scripts that share a process."""


def main() -> int:
    """Generate, run, compare, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, metavar="N", help="how many specs (200)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the seed they are drawn with (0)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where specs and scripts are left")
    options = parser.parse_args()
    refused: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        root = options.keep or Path(folder)
        root.mkdir(exist_ok=True)
        pairs = list(run_generated(options.count, options.seed, root, refused))
        for start in range(0, len(pairs), AT_ONCE):
            run_together(case for _, case in pairs[start : start + AT_ONCE])
        found = {case.folder: disagreements(case) for _, case in pairs}
    print(machine())
    parts = Counter(part for one, _ in pairs for part in one.parts)
    print(f"covered: {', '.join(f'{name} {number}' for name, number in sorted(parts.items()))}")
    print(f"specs that cannot be run, and so were not counted: {dict(refused)}")
    for path, faults in found.items():
        for fault in faults:
            print(f"{path}: {fault}")
    agreeing = sum(not faults for faults in found.values())
    print(f"{agreeing} of {len(found)} scripts agree with the runs of their specs, to the last bit")
    return int(agreeing < len(found))


if __name__ == "__main__":
    sys.exit(main())
