"""Whether the trial before training cries wolf: `python -m tests.bench.probes`.

Hundreds of healthy networks of every kind, drawn at random, each built and tried on a batch as `--probe` does it.
Ends with 1 if a probe says anything about one of them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter

from rich.console import Console

from ffspec import api, document
from ffspec.diagnostics import Severity
from ffspec.rules.probes import PROBES
from tests.bench.measure import machine
from tests.corpus import chance
from tests.corpus.healthy import healthy


def main() -> int:
    """Try the networks, print the result, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=500, metavar="N", help="how many (500)")
    count: int = parser.parse_args().networks
    judged = {rule.about.code for rule in PROBES}
    alarms: Counter[str] = Counter()
    seconds, tried, number = [], 0, 0
    while tried < count:
        text = healthy(chance(number))
        number += 1
        if "arrays" in text:  # there are no rows to try it on
            continue
        start = time.perf_counter()
        found = api.diagnose(document.parse(text), probe=True)
        seconds.append(time.perf_counter() - start)
        tried += 1
        alarms.update(item.code for item in found if item.code in judged and item.severity is not Severity.INFO)

    console = Console()
    console.print(machine(), highlight=False)
    console.print(
        f"{tried:,} healthy networks: {alarms.total()} false alarms of {', '.join(sorted(judged))}; "
        f"median {1000 * statistics.median(seconds):.0f} ms, loading the rows included",
        highlight=False,
    )
    return int(alarms.total() > 0)


if __name__ == "__main__":
    sys.exit(main())
