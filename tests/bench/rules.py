"""How well the static rules judge: `python -m tests.bench.rules`.

Thousands of healthy specs, and for each rule hundreds with one seeded fault. A fault counts as found if its code stands
at its very line and column; anything else that is said, of a healthy spec or beside the fault, is a false alarm.
Ends with 1 unless precision and recall are both 100 %.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.bench.measure import machine
from tests.corpus import chance
from tests.corpus.faults import FAULTS, Seeded, codes, findings, seeded
from tests.corpus.healthy import healthy

PUBLISHED = ("NeuraLint, published", "", "", "", "100 %", "70.5 %", "")
"""On 34 real TensorFlow programs, not on specs: only the shares can stand beside ours."""


class Score:
    """What was seeded, what was found, what was said without reason, and the time it took."""

    def __init__(self) -> None:
        self.seeded: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.alarms: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def judge(self, made: Seeded) -> None:
        """Check a seeded spec."""
        start = time.perf_counter()
        said = made.found()
        self.seconds[made.code] += time.perf_counter() - start
        self.seeded[made.code] += 1
        self.found[made.code] += made.wanted in said
        self.alarms.update(item[0] for item in said if item != made.wanted)

    def judge_healthy(self, text: str) -> None:
        """Check a healthy spec."""
        start = time.perf_counter()
        said = findings(text)
        self.seconds["healthy"] += time.perf_counter() - start
        self.alarms.update(item[0] for item in said)

    def row(self, rule: str, rules: Sequence[str], count: int) -> tuple[str, ...]:
        """Return the figures of some rules over so many specs, as a row of the table."""
        made, hit, false = (sum(counts[code] for code in rules) for counts in (self.seeded, self.found, self.alarms))
        spent = sum(self.seconds[code] for code in rules)
        return (
            rule,
            f"{made:,}",
            f"{hit:,}",
            f"{false:,}",
            percent(hit, hit + false),
            percent(hit, made),
            f"{1000 * spent / count:.2f}",
        )

    @property
    def perfect(self) -> bool:
        """Whether everything was found, and nothing else said."""
        return self.found == self.seeded and not self.alarms.total()


def percent(part: int, whole: int) -> str:
    """Write a share; what is not quite all is not rounded up to it."""
    if not whole:
        return "-"
    share = 100 * part / whole
    return "100 %" if part == whole else f"{min(share, 99.9):.1f} %"


def measure(sound: int, each: int) -> Score:
    """Check so many healthy specs, and so many with a fault for each rule; the ways to break it take turns."""
    score = Score()
    for number in range(sound):
        score.judge_healthy(healthy(chance(number)))
    for code in codes():
        faults = [fault for fault in FAULTS if fault.code == code]
        for number in range(each):
            score.judge(seeded(faults[number % len(faults)], number))
    return score


def main() -> int:
    """Measure, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--healthy", type=int, default=5000, metavar="N", help="healthy specs (5000)")
    parser.add_argument("--each", type=int, default=200, metavar="N", help="seeded specs of each rule (200)")
    given = parser.parse_args()
    score = measure(given.healthy, given.each)
    strange = sorted(set(score.alarms) - set(codes()))
    table = Table("rule", "seeded", "found", "false alarms", "precision", "recall", "ms a spec")
    for code in (*codes(), *strange):
        table.add_row(*score.row(code, [code], max(score.seeded[code], 1)))
    table.add_section()
    everything = [*codes(), *strange, "healthy"]
    table.add_row(*score.row("all", everything, score.seeded.total() + given.healthy))
    table.add_row(*PUBLISHED)

    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(machine(), highlight=False)
    console.print(f"{given.healthy:,} healthy specs, {score.seeded.total():,} with one seeded fault.", highlight=False)
    console.print(table)
    console.print(
        "NeuraLint: Nikanjam et al., TOSEM 2022, arXiv 2105.08095; of real TensorFlow programs.", highlight=False
    )
    return int(not score.perfect)


if __name__ == "__main__":
    sys.exit(main())
