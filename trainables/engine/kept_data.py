"""Keeps a data set on its device from trial to trial, however each of them augments it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from trainables.config.data import Data
from trainables.data import RawData, prepare
from trainables.data.dataset import DataSet
from trainables.engine.process_cache import ProcessCache


def kept_data(cache: ProcessCache, data: Data, device: torch.device, raw: Callable[[], RawData]) -> DataSet:
    """Return what :func:`trainables.data.prepare` does, in the memory that an earlier trial's set has.

    A search over the augmentation so has one copy of the images on a GPU, and one recording of its steps.

    Args:
        raw: gives the images where they are not on ``device`` yet.

    Example:
        >>> from trainables.data import load_raw
        >>> usual = Data(name="cluttered_digits", options={"scenes": 100, "test": 100})
        >>> cache, cpu = ProcessCache(), torch.device("cpu")
        >>> first = kept_data(cache, usual, cpu, lambda: load_raw(usual))
        >>> weaker = kept_data(cache, replace(usual, augment_strength=0.5), cpu, lambda: load_raw(usual))
        >>> weaker.train.index is first.train.index, weaker.train.augmentation.reach
        (True, 1.25)
    """
    stored = replace(data, augment="standard", augment_strength=1.0)
    kept = cache.get("data", f"{stored!r} {device}", lambda: prepare(raw(), stored, device))
    return kept.augmented_as(data)
