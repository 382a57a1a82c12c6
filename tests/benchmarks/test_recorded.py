"""The study that records curves is one: sixty whole trials over every knob, and an end to compare them by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from study.loading import load_space

SPACE = Path(__file__).parents[2] / "benchmarks/recorded/space.py"


@pytest.mark.parametrize("epochs", [36, 9])
def test_the_recorded_study_stops_nothing_and_keeps_its_schedule(
    epochs: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = ("train_images", "train_labels", "test_images", "test_labels", "classes")
    np.savez(tmp_path / "made.npz", **{name: np.zeros(1) for name in names})
    monkeypatch.setenv("SDD_RECORDED_DATA", str(tmp_path / "made.npz"))
    monkeypatch.setenv("SDD_RECORDED_EPOCHS", str(epochs))
    spec = load_space(SPACE)
    assert spec.search.stop is None
    assert spec.budget.trials == 60
    assert spec.training.epochs == epochs
    drops = [milestone / epochs for milestone in spec.training.milestones]
    assert drops == pytest.approx([5 / 8, 3 / 4, 7 / 8], abs=1 / epochs)
