from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch

from trainables.storage.run_store import RunFolder, RunStore
from trainables.training import checkpoint
from trainables.training.checkpoint import CheckpointWriter, wait_for_writers


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunStore(tmp_path).run("9cdc55107ded21d3")


def test_a_checkpoint_is_of_the_moment_it_was_asked_for(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, write = threading.Event(), checkpoint.save

    def late(*given: object) -> None:
        assert go.wait(60)
        write(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(checkpoint, "save", late)
    weight = torch.ones(3)
    with CheckpointWriter(folder) as writer:
        writer.save(1, {"weight": weight})
        weight.zero_()  # the next epoch
        assert folder.checkpoints() == []
        go.set()
        wait_for_writers()
        assert len(folder.checkpoints()) == 1
    state, problems = checkpoint.load(folder)
    assert problems == []
    assert state is not None
    assert state["weight"].tolist() == [1, 1, 1]


def test_leaving_waits_for_the_checkpoint_and_raises_what_went_wrong(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(OSError, match="no space left"), CheckpointWriter(folder) as writer:
        writer.save(1, {})
    writer = CheckpointWriter(folder)
    writer.save(1, {})
    with pytest.raises(OSError, match="no space left"):
        writer.save(2, {})


def test_what_ended_a_trial_is_raised_rather_than_what_went_wrong_with_its_checkpoint(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    def train() -> None:
        with CheckpointWriter(folder) as writer:
            writer.save(1, {})
            raise ValueError("the trial")

    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(ValueError, match="the trial"):
        train()
