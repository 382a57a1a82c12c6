"""Rungs judged by non-dominated rank, and the volume that a front covers."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from study.search.pareto_stopping import ParetoRule, fronts, hypervolume, hypervolumes
from study.spec.rungs import Rung


def test_fronts_are_peeled_off_one_by_one() -> None:
    points = [(random.Random(n).random(), random.Random(-n - 1).random(), n % 3) for n in range(40)]
    ranks = fronts(points)

    def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
        return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)

    for point, rank in zip(points, ranks, strict=True):
        above = [other for other, of in zip(points, ranks, strict=True) if of == rank - 1]
        assert not any(dominates(p, point) for p, of in zip(points, ranks, strict=True) if of == rank)
        assert rank == 0 or any(dominates(other, point) for other in above)


def test_a_small_student_goes_on_though_it_is_less_accurate() -> None:
    rule = ParetoRule([Rung(epoch=2, since=0)], reduction=2)
    large, small = 9.0, 1.0

    def ends(key: str, *top1: float, cost: float) -> bool:
        return [rule.stops(key, epoch, (-value, cost)) for epoch, value in enumerate(top1, 1)][-1]

    assert not ends("a", 50.0, 60.0, cost=large), "the first goes on"
    assert not ends("b", 20.0, 30.0, cost=small), "on the front"
    assert ends("c", 40.0, 60.0, cost=large), "a dominates it, by the mean of both epochs"
    assert not ends("d", 10.0, cost=small), "no rung yet"
    assert not ends("e", 25.0, 35.0, cost=small)


def test_one_of_reduction_goes_on_where_all_are_in_one_line() -> None:
    rule = ParetoRule([Rung(epoch=1, since=0)], reduction=4)
    going = [n for n in range(16) if not rule.stops(f"{n:x}", 1, (float(n), float(n)))]
    assert going == [0], "each is worse than those before"
    rising = ParetoRule([Rung(epoch=1, since=0)], reduction=4)
    assert not any(rising.stops(f"{n:x}", 1, (-float(n), 0.0)) for n in range(16)), "each is the best so far"
    assert rising.stops("last", 1, (-10.0, 0.0))
    assert not rising.stops("other", 1, (-12.5, 0.0))


def test_an_epoch_is_judged_once() -> None:
    rule = ParetoRule([Rung(epoch=1, since=0)], reduction=2)
    rule.learn("known", [(1.0, 1.0)])
    assert rule.stops("a", 1, (5.0, 5.0))
    assert not rule.stops("a", 1, (9.0, 9.0)), "it reports again, as its process was lost"
    assert not rule.stops("known", 1, (9.0, 9.0))


def test_the_hypervolume_is_that_of_the_union_of_boxes() -> None:
    draw = random.Random(1)
    points = [(draw.random(), draw.random(), draw.random()) for _ in range(12)]
    found = hypervolume(points, (1.0, 1.0, 1.0))
    samples = [(draw.random(), draw.random(), draw.random()) for _ in range(20_000)]
    inside = sum(any(all(a <= b for a, b in zip(p, s, strict=True)) for p in points) for s in samples)
    assert found == pytest.approx(inside / len(samples), abs=0.015)


def test_the_volume_never_shrinks_as_trials_end() -> None:
    draw = random.Random(2)
    values = hypervolumes([(draw.random(), draw.random()) for _ in range(20)])
    assert values == sorted(values)
    assert values[-1] > values[0] >= 0
    assert hypervolumes([]) == []
