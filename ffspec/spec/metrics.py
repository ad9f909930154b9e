"""The measures a spec may name: the loss, and scikit-learn's metrics for each task."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ffspec.spec.base import describe
from ffspec.spec.facts import TargetKind

Reading: TypeAlias = Literal["prediction", "score", "probability", "output"]
"""What a metric is computed from: the predicted class, a ranking score, class probabilities, or the output as it is."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: a function of scikit-learn and what to hand it."""

    name: str
    function: str
    """The function's name in sklearn.metrics; empty for what scikit-learn does not have."""
    target: TargetKind
    reading: Reading
    maximize: bool
    arguments: tuple[tuple[str, Any], ...] = ()
    binary_only: bool = False
    quantile: float | None = None
    """Of absolute errors, which quantile it is."""


METRICS: tuple[Metric, ...] = (
    Metric("accuracy", "accuracy_score", "classes", "prediction", True),
    Metric("balanced_accuracy", "balanced_accuracy_score", "classes", "prediction", True),
    Metric("precision", "precision_score", "classes", "prediction", True, (("average", "macro"), ("zero_division", 0))),
    Metric("recall", "recall_score", "classes", "prediction", True, (("average", "macro"), ("zero_division", 0))),
    Metric("f1", "f1_score", "classes", "prediction", True, (("average", "macro"), ("zero_division", 0))),
    Metric("matthews_corrcoef", "matthews_corrcoef", "classes", "prediction", True),
    Metric("cohen_kappa", "cohen_kappa_score", "classes", "prediction", True),
    Metric("roc_auc", "roc_auc_score", "classes", "score", True),
    Metric("average_precision", "average_precision_score", "classes", "score", True, binary_only=True),
    Metric("log_loss", "log_loss", "classes", "probability", False),
    Metric("brier", "brier_score_loss", "classes", "probability", False),
    Metric("ece", "", "classes", "probability", False),
    Metric("r2", "r2_score", "values", "output", True),
    Metric("rmse", "root_mean_squared_error", "values", "output", False),
    Metric("mse", "mean_squared_error", "values", "output", False),
    Metric("mae", "mean_absolute_error", "values", "output", False),
    Metric("median_absolute_error", "median_absolute_error", "values", "output", False),
    Metric("p90_absolute_error", "", "values", "output", False, quantile=0.9),
    Metric("p95_absolute_error", "", "values", "output", False, quantile=0.95),
    Metric("max_error", "max_error", "values", "output", False),
    Metric("mape", "mean_absolute_percentage_error", "values", "output", False),
    Metric("explained_variance", "explained_variance_score", "values", "output", True),
)
"""precision, recall and f1 are those of the second class where there are two, else the mean over all classes."""

DEFAULTS: dict[TargetKind, tuple[str, ...]] = {"classes": ("accuracy",), "values": ("r2", "rmse")}
"""What is measured where a spec names no metrics."""


def find_metric(name: str) -> Metric | None:
    """Return the metric called `name`, or None."""
    return next((metric for metric in METRICS if metric.name == name), None)


def larger_is_better(measure: str) -> bool:
    """Say in which direction a measure, such as test.accuracy, improves."""
    metric = find_metric(measure.partition(".")[2])
    return metric is not None and metric.maximize


class _OneOfTheMetrics:
    """A metric's name, with the same error as any unknown component."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"enum": [metric.name for metric in METRICS]}

    @staticmethod
    def _validate(value: Any) -> str:
        names = tuple(metric.name for metric in METRICS)
        if not isinstance(value, str):
            message = "must be the name of a metric, found {found}"
            raise PydanticCustomError(
                "component_form", message, {"kind": "metric", "found": describe(value), "choices": names}
            )
        if value not in names:
            context = {"kind": "metric", "found": value, "choices": names}
            raise PydanticCustomError("unknown_component", "unknown {kind} '{found}'", context)
        return value


MetricName = Annotated[str, _OneOfTheMetrics()]
