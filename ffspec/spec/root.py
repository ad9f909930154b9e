"""The whole of a spec file."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from ffspec.spec.base import Node, Several
from ffspec.spec.dataset import Dataset
from ffspec.spec.expansion import expand, refuse_undecided
from ffspec.spec.kinds import AnyLayer, AnyLoss, AnyOptimizer, AnyScheduler
from ffspec.spec.metrics import MetricName
from ffspec.spec.recipes import RecipeName
from ffspec.spec.sweep import Sweep
from ffspec.spec.training import Checks, Training


class Spec(Node):
    """A network, its data and its training: everything a run needs, and nothing it computes."""

    ffspec: Literal[1] = Field(1, description="The version of the format.")
    name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        max_length=100,
        description="Names the run's folder; the file's own name if left out.",
    )
    description: str | None = Field(None, max_length=10_000, description="What the spec is for.")
    recipe: RecipeName | None = Field(
        None, description="Fills the keys that are left out, those marked required among them, but for the dataset."
    )
    seed: int = Field(0, ge=0, le=2**53, description="The root of every random stream.")
    dataset: Dataset = Field(description="Where the rows come from, how they are split and prepared.")
    layers: Several[AnyLayer] = Field(min_length=1, max_length=1000, description="The network, first layer first.")
    loss: AnyLoss = Field(description="What is minimised.")
    optimizer: AnyOptimizer = Field(description="How.")
    scheduler: AnyScheduler | None = Field(None, description="How the learning rate changes; constant if left out.")
    training: Training = Field(Training.model_construct(), description="The loop.")
    metrics: Several[MetricName] | None = Field(
        None, max_length=100, description="What is measured beside the loss; accuracy, or r2 and rmse, if left out."
    )
    checks: Annotated[Checks, Field(description="What must hold after training.")] = Checks.model_construct()
    sweep: Sweep | None = Field(None, description="What `ffspec sweep` tries in turn; other commands leave it alone.")

    _directory: Path = PrivateAttr(default_factory=Path)
    _allowed: frozenset[str] = PrivateAttr(default_factory=frozenset)

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        return expand(value)

    @field_validator("recipe", mode="before")
    @classmethod
    def _refuse_undecided(cls, name: Any) -> Any:
        refuse_undecided(name)
        return name

    @property
    def directory(self) -> Path:
        """Where relative data paths begin: the folder of the file it was read from, else the working directory."""
        return self._directory

    @property
    def allowed(self) -> frozenset[str]:
        """The codes that were let through when it was read: its file, or whoever read it, said so."""
        return self._allowed

    def at(self, directory: Path, *, allowed: frozenset[str] = frozenset()) -> Self:
        """Return the same spec with its data paths beginning at `directory`, and with the codes it may be run with."""
        moved = self.model_copy()
        moved._directory = directory  # noqa: SLF001 - its own copy
        moved._allowed = allowed  # noqa: SLF001 - its own copy
        return moved

    def __eq__(self, other: object) -> bool:
        """Compare what the specs say, not where they were read."""
        if not isinstance(other, Spec):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Spec.model_fields)

    def __hash__(self) -> int:
        """Hash the text of the spec."""
        return hash(self.model_dump_json())
