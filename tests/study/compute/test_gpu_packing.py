"""How many trials share a device follows from what is measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from study.compute import gpu_packing as packing
from study.compute.gpu_packing import PackingMeasurement, find_best_packing, summary
from study.loading import load_space
from study.plan.resolve import resolve


def attempts(rates: dict[int, tuple[float, float]]) -> Callable[[int], PackingMeasurement | None]:
    def attempt(trials: int) -> PackingMeasurement | None:
        return PackingMeasurement(trials, *rates[trials]) if trials in rates else None

    return attempt


@pytest.mark.parametrize(
    ("rates", "best"),
    [
        ({1: (100, 0.9), 2: (180, 0.8), 4: (190, 0.7)}, 2),  # four are hardly faster than two
        ({1: (100, 0.9), 2: (180, 0.05)}, 1),  # two leave too little memory
        ({1: (100, 0.9), 2: (180, 0.6), 4: (300, 0.3)}, 4),  # eight do not fit
        ({1: (100, 0.02)}, 1),
    ],
)
def test_more_trials_as_long_as_they_pay(rates: dict[int, tuple[float, float]], best: int) -> None:
    assert find_best_packing(attempts(rates))[-1].trials == best


def test_nothing_fits() -> None:
    assert find_best_packing(attempts({})) == []


def test_never_more_than_the_most() -> None:
    many = {2**n: (100.0 * 2**n, 1.0) for n in range(6)}
    found = find_best_packing(attempts(many))
    assert found[-1].trials == packing.MAX_TRIALS
    assert summary(found).startswith("trials on one device: 8 (1 at 100 images/s, 2 at 200 images/s")


@pytest.mark.slow
@pytest.mark.ray
def test_real_trials_on_cores(
    space: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(packing, "WARM_UP_S", 0.5)
    monkeypatch.setattr(packing, "MEASURED_S", 1.0)
    plan = resolve(load_space(space()))
    config = plan.teacher_trial(plan.spec.pairs[0]).config
    ray.init(num_cpus=2, include_dashboard=False)
    try:
        where = (0.0, config, str(tmp_path), plan.raw, 1, "eager")
        one, two = packing.measure_packing(1, *where), packing.measure_packing(2, *where)
        assert one is not None
        assert two is not None
        assert one.images_per_s > 0
        assert two.images_per_s > 0
        assert packing.measure_packing(3, *where) is None, "three trials of a core do not fit on two"
    finally:
        ray.shutdown()
    assert not any(tmp_path.glob("runs/*")), "a probe leaves no run behind"
