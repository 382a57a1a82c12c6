"""The study that records curves is one: sixty whole trials over every knob, and an end to compare them by."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.loading import load_space

SPACE = Path(__file__).parents[2] / "benchmarks/recorded/space.py"


@pytest.mark.parametrize("epochs", [36, 9])
def test_the_recorded_study_stops_nothing_and_keeps_its_schedule(
    epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDD_RECORDED_EPOCHS", str(epochs))
    spec = load_space(SPACE)
    assert spec.search.stop is None
    assert spec.budget.trials == 60
    assert spec.training.epochs == epochs
    drops = [milestone / epochs for milestone in spec.training.milestones]
    assert drops == pytest.approx([5 / 8, 3 / 4, 7 / 8], abs=1 / epochs)
