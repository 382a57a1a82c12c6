"""One small data set for all trials of the tests, and one thread to train with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.trainables import trials
from trainables.data import load
from trainables.data.dataset import DataSet
from trainables.storage.run_store import RunStore


@pytest.fixture(scope="session")
def digits() -> DataSet:
    return load(trials.DATA, trials.CPU)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "store")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums are made in one order, and two tests beside each other do not fight for cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
