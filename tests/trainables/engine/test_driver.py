"""Both drivers are named: the one that torch needs, and the one that is there."""

from __future__ import annotations

import pytest
import torch

from trainables.engine import driver


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "and no driver is there"),
        (12040, "and the driver there is for CUDA 12.4; update it"),
        (13020, "and the driver there is for CUDA 13.2; see nvidia-smi"),
    ],
)
def test_what_is_needed_and_what_is_there(
    monkeypatch: pytest.MonkeyPatch, found: int | None, said: str
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    monkeypatch.setattr(driver, "installed_driver", lambda: found)
    problem = driver.driver_problem()
    assert "needs a driver for CUDA 13.2 (580 or newer)" in problem
    assert said in problem


def test_a_torch_without_cuda_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "is built without CUDA" in driver.driver_problem()
