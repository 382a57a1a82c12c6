"""What a failed trial's error file says in one line."""

from __future__ import annotations

import pytest

from study.errors import ClusterError
from study.runner import check_answers, failure_reason, own_metrics


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Failure # 1 (occurred at 2026-01-01)\n\x1b[36mray::ImplicitFunc.train()\x1b[39m (pid=1)\n"
            '  File "loop.py", line 99, in _train\n'
            "trainables.loop.NonFiniteLoss: the loss is nan in epoch 1\n",
            "NonFiniteLoss: the loss is nan in epoch 1",
        ),
        ("torch.OutOfMemoryError: CUDA out of memory.\n\n", "OutOfMemoryError: CUDA out of memory."),
        (
            "The actor died unexpectedly before finishing this task.",
            "The actor died unexpectedly before finishing this task.",
        ),
        ("", "the process died"),
    ],
)
def test_the_reason_of_a_failure_is_one_line(text: str, reason: str) -> None:
    assert failure_reason(text) == reason


def test_tunes_own_columns_are_left_out() -> None:
    result = {"epoch": 1, "lr": 0.1, "val/top1": 50.0, "pid": 3, "config": {}, "training_iteration": 1}
    assert own_metrics(result) == {"epoch": 1, "lr": 0.1, "val/top1": 50.0}


def test_an_address_where_nothing_listens_is_refused() -> None:
    with pytest.raises(ClusterError, match=r"cannot reach Ray at 127\.0\.0\.1:9"):
        check_answers("127.0.0.1:9")
    check_answers("auto")
