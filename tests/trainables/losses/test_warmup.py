from __future__ import annotations

import pytest

from trainables.losses import LossError, linear_warmup


def test_rises_by_equal_steps_to_one_and_stays() -> None:
    assert [linear_warmup(epoch, 20) for epoch in (1, 10, 20, 21, 240)] == [0.05, 0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("none", [0, 1])
def test_zero_or_one_epoch_is_no_warmup(none: int) -> None:
    assert [linear_warmup(epoch, none) for epoch in (1, 2, 240)] == [1.0, 1.0, 1.0]


def test_epochs_count_from_one() -> None:
    with pytest.raises(LossError, match="epoch: 0"):
        linear_warmup(0, 20)
    with pytest.raises(LossError, match="warmup_epochs: -1"):
        linear_warmup(1, -1)
