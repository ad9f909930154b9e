"""Tables as a newcomer brings them: those scikit-learn packs, written as CSV, and one full of troubles."""

from __future__ import annotations

import random
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import sklearn.datasets

PENGUINS = Path(__file__).parents[1] / "specs" / "penguins.csv"
PACKAGED = ("iris", "wine", "breast_cancer", "digits", "diabetes")


def packaged(name: str, folder: Path) -> tuple[Path, str]:
    """Write a packaged data set as CSV, its classes by name; return the file and the target's name."""
    data: Any = getattr(sklearn.datasets, f"load_{name}")()
    names = [str(item) for item in data.feature_names]
    frame = pl.DataFrame(data.data, schema=names)
    labels: Any = getattr(data, "target_names", None)
    named = labels is not None and name != "digits"
    y = [str(labels[code]) if named else code for code in data.target]
    path = folder / f"{name}.csv"
    frame.with_columns(pl.Series("target", y)).write_csv(path)
    return path, "target"


def penguins(folder: Path) -> tuple[Path, str]:
    """Return a copy of the penguins."""
    shutil.copy(PENGUINS, folder / "penguins.csv")
    return folder / "penguins.csv", "species"


def troubles(folder: Path, *, rows: int = 600, separator: str = ",") -> tuple[Path, str]:
    """Write a table with everything that a table can have; return the file and the target's name.

    Whether a customer leaves depends on tenure, plan and satisfaction, with some noise.
    """
    chance = random.Random(0)  # noqa: S311 - rows, not secrets
    path = folder / "customers.csv"
    made = [_customer(row, chance) for row in range(rows)]
    made += [dict(row) for row in made[:9]]  # nine that were entered twice
    for number, row in enumerate(made):
        row["customer_id"] = f"C-{number:05}"
    pl.DataFrame(made, infer_schema_length=None).write_csv(path, separator=separator)
    return path, "left"


def _customer(number: int, chance: random.Random) -> dict[str, Any]:
    tenure = round(chance.expovariate(1 / 30), 1)
    plan = chance.choices(("Basic", "Plus", "Pro"), (5, 3, 2))[0]
    happy = chance.choices(("very low", "low", "medium", "high"), (1, 3, 4, 2))[0]
    risk = -tenure / 20 + {"Basic": 1.5, "Plus": 0.0, "Pro": -1.0}[plan]
    risk += {"very low": 3.0, "low": 1.0, "medium": -0.5, "high": -2.0}[happy] + chance.gauss(0, 1)
    left = "yes" if risk > 0 else "no"
    cents = chance.randint(100_000, 9_999_999)
    amount = round(chance.lognormvariate(3, 1.6), 2)
    return {
        "customer_id": "",
        "tenure": tenure if chance.random() > 0.1 else "n/a",
        "plan": plan if chance.random() > 0.05 else None,
        "satisfaction": happy,
        "newsletter": chance.choice(("true", "false")),
        "joined": (date(2019, 1, 1) + timedelta(days=chance.randint(0, 2000))).isoformat(),
        "city": f"town {int(chance.paretovariate(0.9)) % 80}",
        "country": chance.choices(("Germany", "germany", "France"), (6, 1, 3))[0],
        "revenue": f"{cents // 100:,}",
        "discount": f"{chance.randint(0, 60)} %",
        "spent": amount,
        "spent_again": amount,
        "spent_cents": round(100 * amount),
        "currency": "EUR",
        "batch": "b" if number == 17 else "a",
        "note": f"called on day {number} about {plan} and was told of offer {chance.randint(0, 999)}",
        "goodbye_mail": left.upper(),
        "empty": None,
        "left": left,
    }
