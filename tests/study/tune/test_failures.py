"""What ended a trial or a study, in one line."""

from __future__ import annotations

import errno

import pytest

from study.tune.failures import database_fault, reason_of_loss, told


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Failure # 1 (occurred at 2026-01-01)\n\x1b[36mray::ImplicitFunc.train()\x1b[39m (pid=1)\n"
            '  File "loop.py", line 99, in _train\n'
            "trainables.training.loop.NonFiniteLoss: the loss is nan in epoch 1\n",
            "NonFiniteLoss: the loss is nan in epoch 1",
        ),
        ("The actor died unexpectedly before finishing this task.", "its process was lost"),
        ("", "its process was lost"),
        (
            "Failure # 1 (occurred at 2026-11-22)\nThe actor died unexpectedly before finishing this task.\n"
            "\tclass_name: ImplicitFunc\nThe actor is dead because its worker process has died. Worker exit "
            "detail: Some common causes include: (1) the process was killed by the OOM killer due to high "
            "memory usage, (2) ray stop --force is called.",
            "its process was lost",
        ),
        (
            "Failure # 1 (occurred at 2026-11-22)\nThe actor 347f is unavailable: The actor is temporarily "
            "unavailable: RpcError: RPC error: Socket closed rpc_code: 14. The task may or may not have run.",
            "its process did not answer",
        ),
        (
            "Failure # 2 (occurred at 2026-01-01)\nThe actor died because its node has died. Node Id: 12",
            "its node was lost",
        ),
        (
            "Failure # 1 (occurred)\nTask was killed due to the node running low on memory.\n"
            "Memory on the node (IP: 10.0.0.1, ID: ab) where the task was running was 7.6GB / 8.0GB (0.95), "
            "which exceeds the memory usage threshold",
            "out of memory: the node ended its process at 7.6GB / 8.0GB",
        ),
    ],
)
def test_the_reason_of_a_loss_is_one_line(text: str, reason: str) -> None:
    assert reason_of_loss(text) == reason


def test_a_full_disk_is_told_and_a_mistake_is_raised() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/results/trials.csv")
    assert told(full) == "cannot write /results/trials.csv: No space left on device"
    with pytest.raises(FileNotFoundError):
        told(FileNotFoundError(errno.ENOENT, "No such file or directory", "x"))


def test_a_fault_of_the_database_is_found_in_tunes_text() -> None:
    text = (
        "Traceback ...\n\nsqlalchemy.exc.OperationalError: (sqlite3.OperationalError) disk is full\n[SQL: x]"
    )
    assert database_fault(RuntimeError(text)) == "Optuna's database: (sqlite3.OperationalError) disk is full"
    assert database_fault(KeyError("x")) is None


def test_the_innermost_cause_of_a_database_fault_is_told() -> None:
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import OperationalError

    refused = OperationalError("SELECT 1", {}, Exception("connection refused"))
    outer = StorageInternalError("An exception is raised during the commit.")
    outer.__cause__ = refused
    told_of = database_fault(outer)
    assert told_of is not None
    assert "connection refused" in told_of
