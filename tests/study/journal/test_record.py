"""A trial's metrics behave like the list of dicts they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from study.journal.record import MetricHistory

NAN = float("nan")


def test_stored_and_appended_epochs_read_alike() -> None:
    epochs = MetricHistory(("val/top1", "test/top1"), np.array([[50.0, NAN], [60.0, 55.0]]))
    epochs.append({"epoch": 3, "val/top1": 70.0})
    whole = [
        {"epoch": 1, "val/top1": 50.0},
        {"epoch": 2, "val/top1": 60.0, "test/top1": 55.0},
        {"epoch": 3, "val/top1": 70.0},
    ]
    assert list(epochs) == whole == epochs
    assert epochs[1:] == whole[1:]
    assert epochs[-1] == epochs[2] == whole[2]
    assert MetricHistory.of(whole) == epochs
    with pytest.raises(IndexError, match="epoch 3 of 3"):
        epochs[3]


def test_values_of_a_metric_where_it_was_measured() -> None:
    epochs = MetricHistory(("val/top1", "test/top1"), np.array([[50.0, NAN], [60.0, 55.0]]))
    epochs.append({"epoch": 3, "val/top1": 70.0})
    epochs.append({"epoch": 4, "test/top1": 65.0})
    assert epochs.measured("val/top1") == [50.0, 60.0, 70.0]
    assert epochs.measured("test/top1") == [55.0, 65.0]
    assert [epochs.measured("val/top1", start) for start in (1, 2, 3)] == [[60.0, 70.0], [70.0], []]
    assert epochs.measured("lr") == []


def test_a_snapshot_does_not_grow() -> None:
    epochs = MetricHistory.of([{"epoch": 1, "lr": 0.1}])
    before = epochs.snapshot()
    epochs.append({"epoch": 2, "lr": 0.1})
    assert (len(before), len(epochs)) == (1, 2)
