"""The published CIFAR-100 networks, from tests/data.

``models.json`` has, for fifteen networks with 100 classes, the parameter count, the last map's shape (32x32
input) and the state dict's shapes. ``models.npz`` has ``input`` [2,3,32,32] and for ten of them
``NAME/logits`` [2,100] and ``NAME/regions_1_2_4`` [2,100,21]: what the released SDD code gives with the
weights of :func:`filled`.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

DATA = Path(__file__).parents[2] / "data"
PUBLISHED: dict[str, dict[str, Any]] = json.loads((DATA / "models.json").read_text())

Network = TypeVar("Network", bound=nn.Module)


@pytest.fixture(scope="session")
def reference() -> dict[str, Tensor]:
    with np.load(DATA / "models.npz") as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored}


def filled(model: Network) -> Network:
    """`model` in evaluation, with weights drawn from their names."""
    for key, value in model.state_dict().items():
        random = np.random.RandomState(zlib.crc32(key.encode()))
        shape = tuple(value.shape)
        if key.endswith("num_batches_tracked"):
            continue
        if key.endswith("running_var"):
            drawn = random.uniform(0.5, 1.5, shape)
        elif key.endswith("running_mean"):
            drawn = random.normal(0, 0.1, shape)
        elif len(shape) >= 2:
            drawn = random.normal(0, np.sqrt(0.5 / np.prod(shape[1:])), shape)
        elif key.endswith(".weight"):
            drawn = random.uniform(0.8, 1.2, shape)
        else:
            drawn = random.normal(0, 0.05, shape)
        value.copy_(torch.from_numpy(np.asarray(drawn, dtype=np.float32)))
    return model.eval()
