"""The small real data sets that scikit-learn carries with it."""

from typing import ClassVar, final

from pydantic import Field

from ffspec.spec.sources import Known, Source

DIGITS = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
"""How many of scikit-learn's 1797 images show each digit."""


@final
class Iris(Source):
    """150 irises of three species, four lengths each (Fisher 1936)."""

    name: ClassVar[str] = "iris"

    def known(self) -> Known:
        """Fixed."""
        return Known(features=4, target="classes", classes=3, rows=150, numeric=False)


@final
class Wine(Source):
    """178 wines from three growers, 13 chemical measurements each."""

    name: ClassVar[str] = "wine"

    def known(self) -> Known:
        """Fixed."""
        return Known(features=13, target="classes", classes=3, rows=178, numeric=False)


@final
class BreastCancer(Source):
    """569 tumours, malignant or benign, 30 measurements of the cell nuclei each (Street, Wolberg, Mangasarian 1993)."""

    name: ClassVar[str] = "breast_cancer"

    def known(self) -> Known:
        """Fixed."""
        return Known(features=30, target="classes", classes=2, rows=569, numeric=False)


@final
class Digits(Source):
    """1797 handwritten digits, 8 by 8 pixels from 0 to 16."""

    name: ClassVar[str] = "digits"
    sole: ClassVar[str | None] = "n_class"
    n_class: int = Field(10, ge=2, le=10, description="Only the digits below this one.")

    def known(self) -> Known:
        """As many rows as the chosen digits have."""
        return Known(features=64, target="classes", classes=self.n_class, rows=sum(DIGITS[: self.n_class]))


@final
class Diabetes(Source):
    """442 patients, ten measurements each, and how far the disease had gone a year later (Efron et al. 2004)."""

    name: ClassVar[str] = "diabetes"
    scaled: bool = Field(True, description="Features centred and scaled to squares that sum to 1, or as measured.")

    def known(self) -> Known:
        """Fixed."""
        return Known(features=10, target="values", rows=442)
