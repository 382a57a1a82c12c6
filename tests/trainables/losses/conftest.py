"""Reference values of the released SDD code, in tests/data/losses.npz.

Cases ``m12`` (16 images, 20 classes, scales 1 and 2) and ``m124`` (8 images, 30 classes, scales 1, 2 and 4)
hold ``student_regions``, ``teacher_regions`` [B,K,R], ``target`` [B] and, for each loss, ``value`` and
``grad`` with respect to the student's input. ``features`` holds what SP and PKT need. The teacher's feature
maps [16,256,8,8] are too large to keep; SP depends on them through their Gram matrix alone, of which
``teacher_gram_factor`` [16,16] is the Cholesky factor, and PKT through ``teacher_pooled`` [16,256] (ReLU,
then global average).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor


class Reference:
    """The stored arrays as tensors, regions in this project's order [B,R,K]."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as stored:
            self._arrays: dict[str, Any] = {name: stored[name] for name in stored}

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self._arrays[name])

    def regions(self, name: str) -> Tensor:
        return self.tensor(name).transpose(1, 2).contiguous()

    def value(self, name: str) -> float:
        return float(self._arrays[f"{name}/value"])


def gradient(loss: Tensor, x: Tensor) -> Tensor:
    """d loss / d x."""
    return torch.autograd.grad(loss, x)[0]


@pytest.fixture(scope="session")
def reference() -> Reference:
    return Reference(Path(__file__).parents[2] / "data" / "losses.npz")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20240617)
