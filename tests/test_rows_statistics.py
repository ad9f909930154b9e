"""The statistics of the data rules, against scipy and scikit-learn and against counting by hand."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats
from sklearn.datasets import load_digits, load_iris, make_blobs, make_circles
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import roc_auc_score

from ffspec.rules import separation, statistics

SEEDS = range(20)


def values(seed: int, shape: int | tuple[int, ...], *, discrete: bool) -> Any:
    draw = np.random.default_rng(seed)
    return draw.integers(0, 7, shape).astype(np.float64) if discrete else draw.normal(size=shape)


@pytest.mark.parametrize(("total", "most"), [(10, 20), (20, 20), (21, 20), (1000, 7), (144, 89), (10**6, 20_000)])
def test_a_sample_is_in_order_without_repetition(total: int, most: int) -> None:
    rows = statistics.sample(total, most)
    assert len(rows) == min(total, most)
    assert (np.diff(rows) > 0).all()
    assert 0 <= rows[0] <= rows[-1] < total


@pytest.mark.parametrize("period", [2, 7, 24, 365])
def test_a_sample_meets_every_phase_of_what_recurs(period: int) -> None:
    rows = statistics.sample(24 * 7 * 365, 20_000)
    found = np.bincount(rows % period, minlength=period) / len(rows)
    assert np.abs(found * period - 1).max() < 0.2


@pytest.mark.parametrize("shape", [(1, 3), (2, 1), (999, 4), (300_000, 2)])
def test_moments(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, shape) * 10.0 ** np.arange(shape[1]) + 1e6
    means, deviations = statistics.moments(x)
    np.testing.assert_allclose(means, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(deviations, x.std(axis=0), rtol=1e-9, atol=1e-9)


def test_moments_that_are_too_large() -> None:
    means, deviations = statistics.moments(np.array([[1e200, 1.0], [-1e200, 1.0]]))
    assert (means.tolist(), deviations.tolist()) == ([0.0, 1.0], [np.inf, 0.0])


def test_constant_columns() -> None:
    x = np.zeros((400_000, 3))
    x[-1, 1] = 1e-300
    assert statistics.constant(x).tolist() == [0, 2]
    assert statistics.constant(x[:, 1:2]).tolist() == []
    assert [statistics.is_indicator(np.array(found)) for found in ([1.0, 0.0, 1.0], [1.0, 1.0], [0.0, 1.0, 2.0])] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("discrete", [False, True])
def test_equal_rows_have_equal_hashes_and_no_others_do(discrete: bool) -> None:
    x = np.concatenate([values(0, (20_000, 5), discrete=discrete), values(1, (3_000, 5), discrete=discrete)])
    x = np.concatenate([x, x[::7], np.zeros((1, 5)), -np.zeros((1, 5))])
    y = (x[:, 0] > 0).astype(np.int64)
    features, rows = statistics.hashes(x, y)
    assert len(np.unique(features)) == len(np.unique(x + 0.0, axis=0))
    assert len(np.unique(rows)) == len(np.unique(np.column_stack([x + 0.0, y]), axis=0))
    other_features, other_rows = statistics.hashes(x, 1 - y)
    assert (features == other_features).all()
    assert (rows != other_rows).all()


def test_a_hash_knows_the_columns_apart() -> None:
    features, _ = statistics.hashes(np.array([[1.0, 2.0], [2.0, 1.0], [1.5, 1.5]]), np.zeros(3, dtype=np.int64))
    assert len(set(features.tolist())) == 3


def test_repeated_rows_and_those_found_again() -> None:
    rows = np.array([5, 3, 5, 9, 3, 3, 1], dtype=np.uint64)
    ordered = np.sort(rows)
    assert statistics.repeated(ordered) == 5
    assert statistics.found_in(ordered, np.array([1, 2, 3, 10, 9, 0], dtype=np.uint64)).tolist() == [0, 2, 4]


def test_conflicting_rows() -> None:
    features = np.array([1, 1, 2, 2, 3, 4, 4, 4], dtype=np.uint64)
    codes = np.array([0, 1, 1, 1, 0, 2, 2, 0])
    assert statistics.conflicts(features, codes) == (5, 4)
    assert statistics.conflicts(features[:1], codes[:1]) == (0, 1)


def test_what_repeats_by_nature() -> None:
    assert statistics.repeats_by_nature(values(0, (100, 3), discrete=True))
    assert statistics.repeats_by_nature(values(0, (100, 1), discrete=False))
    assert not statistics.repeats_by_nature(values(0, (100, 2), discrete=False))


@pytest.mark.parametrize(("crossing", "within", "share"), [(0, 0, 0.2), (3, 1, 0.2), (9, 0, 0.2), (40, 30, 0.5)])
def test_the_chance_of_twins_is_binomial(crossing: int, within: int, share: float) -> None:
    expected = stats.binom.sf(crossing - 1, crossing + within, 2 * share * (1 - share))
    assert statistics.chance_of_twins(crossing, within, share) == pytest.approx(expected)


def test_the_chance_of_twins_by_drawing_splits() -> None:
    draw = np.random.default_rng(0)
    pairs, rows, size = 6, 100, 25
    seen = []
    for _ in range(20_000):
        test = np.zeros(rows, dtype=bool)
        test[draw.permutation(rows)[:size]] = True
        seen.append((test[: 2 * pairs].reshape(-1, 2).sum(axis=1) == 1).sum() >= 4)
    observed = np.mean(seen)
    assert statistics.chance_of_twins(4, 2, size / rows) == pytest.approx(observed, rel=0.15)


def test_the_chance_of_many_twins() -> None:
    assert statistics.chance_of_twins(500, 9_500, 0.2) == 1.0
    assert 0 <= statistics.chance_of_twins(9_500, 500, 0.2) < 1e-9
    assert comb(1000, 500) < 1e300, "the exact sum stays a number"
    assert 0 < statistics.chance_of_twins(500, 500, 0.3) < 1


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_distance_is_that_of_kolmogorov_and_smirnov(seed: int, discrete: bool) -> None:
    first = values(seed, 50 + seed, discrete=discrete)
    second = values(seed + 100, 10 + 3 * seed, discrete=discrete)
    expected = stats.ks_2samp(first, second).statistic
    assert statistics.distance(np.sort(first), np.sort(second)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(30, 15), (120, 30), (1000, 200)])
@pytest.mark.parametrize("level", [1e-2, 1e-3, 1e-5])
def test_the_bound_of_the_distance_is_no_looser_than_its_level(n: int, m: int, level: float) -> None:
    bound = statistics.significant_distance(n, m, level)
    assert bound < 1
    for shift in np.linspace(0, 1, 201):
        first, second = (np.arange(n) + 0.5) / n, (np.arange(m) + 0.5) / m + shift
        found = stats.ks_2samp(first, second, method="exact")
        if found.statistic > bound:
            assert level / 20 < found.pvalue <= level
            break
    else:
        pytest.fail("no shift was seen")


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_ranks_area_and_rank_correlation(seed: int, discrete: bool) -> None:
    found, targets = values(seed, 60, discrete=discrete), values(seed + 100, (60, 2), discrete=discrete)
    np.testing.assert_array_equal(statistics.ranks(found), stats.rankdata(found))
    positive = targets[:, 0] > np.median(targets[:, 0])
    expected = roc_auc_score(positive, found)
    assert statistics.area(found, positive) == pytest.approx(max(expected, 1 - expected))
    ranked = np.column_stack([statistics.ranks(column) for column in targets.T])
    correlations = [stats.spearmanr(found, column).statistic for column in targets.T]
    assert statistics.spearman(found, ranked) == pytest.approx(max(map(abs, correlations)))


def test_a_constant_has_no_rank_correlation() -> None:
    ranked = statistics.ranks(np.arange(5.0)).reshape(-1, 1)
    assert statistics.spearman(np.ones(5), ranked) == 0.0
    assert statistics.spearman(np.arange(5.0), np.ones((5, 1))) == 0.0


def test_the_recall_of_a_column() -> None:
    codes = np.repeat(np.arange(3), 40)
    everything, some = np.arange(3), np.arange(2)
    assert statistics.recall(statistics.cells_of(codes.astype(np.float64)), codes, everything) == 1.0
    assert statistics.recall(
        statistics.cells_of(np.minimum(codes, 1).astype(np.float64)), codes, some
    ) == pytest.approx(0.5)
    assert statistics.recall(np.arange(120), codes, everything) == 0.0, "a row alone in its cell tells nothing"
    noise = np.random.default_rng(0).normal(size=120)
    assert statistics.recall(statistics.cells_of(noise), codes, everything) < 0.5


def test_cells_hold_about_as_many_rows_each() -> None:
    counts = np.bincount(statistics.cells_of(np.random.default_rng(0).exponential(size=10_000)))
    assert len(counts) == 256
    assert counts.min() >= 30
    assert np.bincount(statistics.cells_of(np.repeat([0.5, 1e9], 4))).tolist() == [4, 4]


def is_separable(x: Any, codes: Any) -> bool:
    """Decide by linear programming: is there a w with z w >= 1 for every difference z of a row's scores?"""
    classes = np.unique(codes)
    z = []
    for row, code in zip(np.column_stack([x, np.ones(len(x))]), codes, strict=True):
        for other in classes[classes != code]:
            difference = np.zeros((len(classes), len(row)))
            difference[classes == code], difference[classes == other] = row, -row
            z.append(difference.ravel())
    found = optimize.linprog(
        np.zeros(len(z[0])), A_ub=-np.array(z), b_ub=-np.ones(len(z)), bounds=(None, None), method="highs"
    )
    return bool(found.success)


@pytest.mark.parametrize("seed", range(60))
def test_separability_by_linear_programming(seed: int) -> None:
    draw = np.random.default_rng(seed)
    features, classes, rows = 1 + seed % 5, 2 + seed % 3, 8 + seed % 17
    x = draw.integers(0, 3, (rows, features)).astype(float) if seed % 2 else draw.normal(size=(rows, features))
    scores = draw.normal(size=(features, classes))
    codes = (x @ scores).argmax(axis=1) if seed % 3 else draw.integers(0, classes, rows)
    if len(np.unique(codes)) > 1:
        assert separation.is_inseparable(x, codes) is not is_separable(x, codes)


def corners(features: int) -> Any:
    return np.array(np.meshgrid(*[[0.0, 1.0]] * features)).reshape(features, -1).T


@pytest.mark.parametrize("features", [2, 3, 5, 7])
def test_functions_of_bits(features: int) -> None:
    x = corners(features)
    ones = x.sum(axis=1).astype(np.int64)
    for separable in (
        ones == features,
        ones > 0,
        ones > features // 2,
        x[:, 0] > 0,
        x @ 2.0 ** np.arange(features) > 5,
    ):
        assert not separation.is_inseparable(x, separable.astype(np.int64))
    assert separation.is_inseparable(x, ones % 2)
    assert not separation.is_inseparable(x, ones), "as many classes as sums"
    assert not separation.is_inseparable(x, np.zeros(len(x), dtype=np.int64)), "a single class"


def test_what_is_a_truth_table() -> None:
    assert separation.is_truth_table(corners(2))
    assert separation.is_truth_table(np.repeat(corners(3), 2, axis=0)[:9])
    assert not separation.is_truth_table(np.eye(4))
    assert not separation.is_truth_table(np.arange(5.0).reshape(-1, 1))
    assert not separation.is_truth_table(np.random.default_rng(0).normal(size=(50, 2)))


def test_a_plane_and_a_quadric() -> None:
    x, codes = make_circles(400, noise=0.05, random_state=0)
    linear, quadratic = separation.judge(x, codes)
    assert linear.mean() < 0.6
    assert quadratic.mean() > 0.97
    x, codes = make_blobs(400, centers=4, cluster_std=3.0, random_state=0)
    linear, quadratic = separation.judge(x, codes)
    assert linear.mean() == pytest.approx(quadratic.mean(), abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_classifiers_like_those_of_scikit_learn(seed: int) -> None:
    x, codes = make_blobs(200, n_features=4, centers=2, cluster_std=5.0, random_state=seed)
    x = np.column_stack([(x - x.mean(axis=0)) / x.std(axis=0), np.ones(len(x))])
    signs = codes * 2.0 - 1.0
    # Their ridge and ours mean the same: the constant is a feature like the others.
    logistic = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-8, max_iter=1000).fit(x, codes)
    np.testing.assert_allclose(separation._logistic(x, signs), logistic.coef_[0], atol=2e-2)
    ridge = RidgeClassifier(alpha=2.0, fit_intercept=False).fit(x, codes)
    np.testing.assert_allclose(separation._ridge(x, signs), ridge.coef_.ravel(), atol=1e-8)
    wide = np.random.default_rng(seed).normal(size=(20, 50))
    ridge = RidgeClassifier(alpha=0.2, fit_intercept=False).fit(wide, codes[:20])
    np.testing.assert_allclose(separation._ridge(wide, signs[:20]), ridge.coef_.ravel(), atol=1e-8)


@pytest.mark.parametrize(("bunch", "least"), [(load_iris, 0.93), (load_digits, 0.93)])
def test_a_linear_classifier_of_many_classes(bunch: Any, least: float) -> None:
    x, codes = bunch(return_X_y=True)
    x = x[:, x.std(axis=0) > 0]
    rows = statistics.sample(len(x), 1000)
    x, codes = x[rows], codes[rows]
    half = np.arange(len(x)) % 2 == 0
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    assert separation._right(x, codes, half, separation._logistic).mean() > least


def test_shares() -> None:
    assert statistics.shares(np.array([0, 0, 2, 0]), 4).tolist() == [0.75, 0.0, 0.25, 0.0]
