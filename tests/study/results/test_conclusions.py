"""Sentences on made studies whose answers are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from study.journal.record import TrialRecord
from study.results.conclusions import Difference, conclusions, sentence, standard_error
from study.results.frames import from_records
from study.results.seed_groups import confirmed
from study.results.verdicts import verdicts
from study.spec.methods import KD, SDD, plain
from tests.study import made

PAIRS = [("wrn_40_2", "vgg8"), ("resnet56", "resnet20"), ("vgg13", "vgg8")]


def runs(over: Sequence[float]) -> list[TrialRecord]:
    """SD-KD above KD by ``over`` points on one pair after the other, five seeds with a spread of 0.1 each."""
    spread = np.array([-0.1, -0.05, 0.0, 0.05, 0.1])
    found = []
    for pair, points in zip(PAIRS, over, strict=False):
        found += made.confirmed(pair, KD(), tuple(70.0 + spread))
        found += made.confirmed(
            pair, SDD(alpha=1.5, scales=(1, 2)), tuple(70.0 + points + spread), role="best"
        )
    return found


def said(over: Sequence[float]) -> list[str]:
    return conclusions(verdicts(confirmed(from_records("made", runs(over)))))


def test_pairs_that_seeds_decide_are_counted_and_the_others_are_not() -> None:
    assert said([0.9, 1.1, 0.0]) == ["SD-KD {1,2} beats KD by 1.00 ± 0.04 points on 2 of 3 pairs."]
    assert said([0.9, -0.5, 0.0]) == [
        "SD-KD {1,2} beats KD by 0.90 ± 0.05 points on 1 of 3 pairs "
        "and falls behind by 0.50 ± 0.05 points on 1 of 3 pairs."
    ]


def test_nothing_is_claimed_where_nothing_is_decided() -> None:
    assert said([0.01]) == [
        "SD-KD {1,2} and KD are not told apart on wrn_40_2-vgg8: the difference is +0.01 ± 0.05 points."
    ]
    assert said([]) == []


def test_many_that_are_not_told_apart_share_a_sentence_below_those_that_are() -> None:
    spread, found = np.array([-0.1, -0.05, 0.0, 0.05, 0.1]), []
    for base, points in (("kd", 0.01), ("dkd", 0.02), ("nkd", 2.0), ("rld", 0.03), ("ttm", -0.01)):
        alone, decoupled = plain(base), SDD(base=base, alpha=1.5, scales=(1, 2))
        found += made.confirmed(PAIRS[0], alone, tuple(70.0 + spread))
        found += made.confirmed(PAIRS[0], decoupled, tuple(70.0 + points + spread), role="best")
    first, rest = conclusions(verdicts(confirmed(from_records("made", found))))
    assert first == "SD-NKD {1,2} beats NKD by 2.00 ± 0.05 points on wrn_40_2-vgg8."
    assert rest.startswith("Not told apart, with differences in points: SD-KD {1,2} and KD (+0.01 ± 0.05), ")
    assert rest.endswith("SD-TTM {1,2} and TTM (-0.01 ± 0.05).")


def test_one_run_has_no_error() -> None:
    found = [Difference("a-b", 3.0, None, decided=False)]
    assert sentence("SD-KD", "KD", found).endswith("the difference is +3.0 points.")
    assert standard_error([1.0], [1.0, 2.0]) is None
    assert standard_error([1.0, 2.0], [1.0, 3.0]) == pytest.approx(math.sqrt(0.5 / 2 + 2.0 / 2))
