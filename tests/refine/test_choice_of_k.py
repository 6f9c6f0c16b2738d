"""How the rank is chosen, and that nothing but held-out given labels chooses it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.rank_rules import Energy, Fixed, one_standard_error, parse_rule

VALUES = np.array([4.0, 2.0, 1.0, 0.5])


def test_the_largest_k_within_one_standard_error_of_the_best_wins() -> None:
    # The standard error of 0.80 on 100 samples is 0.04.
    assert one_standard_error([0.50, 0.80, 0.77, 0.70], 100) == 2


def test_clear_evidence_moves_away_from_the_identity() -> None:
    assert one_standard_error([0.60, 0.90, 0.60, 0.60], 400) == 1


def test_equal_accuracies_leave_the_head_alone() -> None:
    assert one_standard_error([0.7, 0.7, 0.7], 100) == 2


def test_without_the_standard_error_the_best_wins_and_ties_go_to_the_identity() -> None:
    rule = parse_rule("noisy-val-max")
    assert rule.needs_validation
    assert rule.choose((0, 1, 2, 3), VALUES, [0.50, 0.80, 0.77, 0.70], 100) == 1
    assert rule.choose((0, 1, 2, 3), VALUES, [0.80, 0.70, 0.80, 0.79], 100) == 2


def test_energy_takes_the_smallest_rank_that_holds_the_share() -> None:
    # Energies 16, 4, 1, 0.25 of 21.25: 0.753, 0.941, 0.988, 1.
    ks = (0, 1, 2, 3, 4)
    assert ks[Energy(0.9).choose(ks, VALUES, None, 0)] == 2
    assert ks[Energy(1.0).choose(ks, VALUES, None, 0)] == 4


def test_fixed_takes_the_nearest_rank_there_is() -> None:
    assert Fixed(9).choose((1, 2, 3, 4), VALUES, None, 0) == 3


@pytest.mark.parametrize("text", ["oracle", "best-test", "energy:1.5", "fixed:-1", "energy:x", ""])
def test_an_unknown_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="valid: noisy-val, noisy-val-max, energy:SHARE"):
        parse_rule(text)
