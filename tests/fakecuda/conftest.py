"""Has each test of the GPU path begin with a device that the one before it has left."""

from __future__ import annotations

import gc

import pytest
import torch


@pytest.fixture(autouse=True)
def _device_is_free() -> None:
    """Free what is held by cycles alone, or the collector does so amid a test that measures memory."""
    if torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()
