"""Exact limits, against sums over the binomial distribution and published values."""

import math

import pytest

from inventory.proportions import exceeds, incomplete_beta, upper_limit


def at_least(hits: int, trials: int, proportion: float) -> float:
    return sum(math.comb(trials, k) * proportion**k * (1 - proportion) ** (trials - k) for k in range(hits, trials + 1))


@pytest.mark.parametrize(("hits", "trials", "proportion"), [(1, 10, 0.1), (3, 412, 0.004), (40, 60, 0.7), (9, 10, 0.2)])
def test_the_incomplete_beta_is_the_tail_of_the_binomial(hits: int, trials: int, proportion: float):
    assert incomplete_beta(proportion, hits, trials - hits + 1) == pytest.approx(at_least(hits, trials, proportion))


def test_the_ends_of_the_incomplete_beta():
    assert (incomplete_beta(0, 2, 3), incomplete_beta(1, 2, 3)) == (0, 1)


@pytest.mark.parametrize(
    ("hits", "trials", "limit"),
    [(0, 10, 0.3085), (1, 10, 0.4450), (5, 10, 0.8129), (10, 10, 1.0), (0, 0, 1.0)],
    ids=["none", "one", "half", "all", "nothing tried"],
)
def test_the_upper_limit_is_clopper_and_pearsons(hits: int, trials: int, limit: float):
    assert upper_limit(hits, trials, 0.975) == pytest.approx(limit, abs=2e-4)


def test_as_many_clean_trials_as_the_target_needs():
    assert upper_limit(0, 2_994, 0.95) > 0.001 > upper_limit(0, 2_996, 0.95)


@pytest.mark.parametrize(("trials", "proven"), [(51, True), (52, False)])
def test_one_hit_exceeds_a_small_proportion_only_in_few_trials(trials: int, proven: bool):
    assert exceeds(1, trials, 0.001, 0.95) is proven
    assert not exceeds(0, trials, 0.001, 0.95)
