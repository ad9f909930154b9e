"""Tables of measures: short ones a line for each split, long ones a line for each measure."""

from __future__ import annotations

from ffspec.cli.measures import WIDE, beside, by_split, one_line

SPLITS = ["train", "test"]
LOSS = {"before": ["1.5", "1.25"], "after": ["0.5", "0.75"]}


def test_few_measures_have_a_line_for_each_split() -> None:
    accuracy = {"before": ["0.5", "0.5"], "after": ["1", "0.9"], "95 %": ["", "[0.8, 1]"]}
    assert by_split(SPLITS, {"loss": LOSS, "accuracy": accuracy}).splitlines() == [
        "  split  loss before  loss after  accuracy before  accuracy after      95 %",
        "  train          1.5         0.5              0.5               1",
        "  test          1.25        0.75              0.5             0.9  [0.8, 1]",
    ]


def test_many_measures_have_a_line_each() -> None:
    measures = {"loss": LOSS, **{f"metric_{number}": {"before": ["0", "0"], "after": ["1", "1"]} for number in (1, 2)}}
    measures["metric_2"] |= {"95 %": ["", "[0.9, 1]"]}
    measures = {name.replace("metric", "balanced_accuracy_of_class"): one for name, one in measures.items()}
    assert by_split(SPLITS, measures).splitlines() == [
        "  split  measure                       before  after      95 %",
        "  train  loss                             1.5    0.5",
        "  train  balanced_accuracy_of_class_1       0      1",
        "  train  balanced_accuracy_of_class_2       0      1",
        "  test   loss                            1.25   0.75",
        "  test   balanced_accuracy_of_class_1       0      1",
        "  test   balanced_accuracy_of_class_2       0      1  [0.9, 1]",
    ]


def test_models_stand_below_each_other_or_with_many_measures_side_by_side() -> None:
    models: dict[str, dict[str, float | None]] = {
        "this network": {"accuracy": 0.9, "f1": None},
        "linear model": {"accuracy": 0.95},
    }
    assert beside("on test", models, ["accuracy", "f1"]).splitlines() == [
        "  on test       accuracy  f1",
        "  this network       0.9   -",
        "  linear model      0.95   -",
    ]
    many = dict.fromkeys((f"metric_number_{number}" for number in range(8)), 0.5)
    assert beside("on test", {"this network": many, "mean": {}}, list(many)).splitlines() == [
        "  on test          this network  mean",
        *(f"  metric_number_{number}           0.5     -" for number in range(8)),
    ]


def test_a_line_has_as_many_measures_as_it_has_room_for() -> None:
    assert one_line({"loss": 0.5, "validation.loss": None}) == "loss 0.5  validation.loss -"
    measures = {f"validation.metric_{number}": 0.123456 for number in range(9)}
    said = one_line(measures)
    assert said == "  ".join(f"validation.metric_{number} 0.1235" for number in range(3))
    assert len(said) <= WIDE
    assert one_line({"m" * WIDE: 1.0}) == f"{'m' * WIDE} 1"
