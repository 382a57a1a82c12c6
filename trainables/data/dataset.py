"""Holds what training sees of a data set: its splits, and their batches on the device."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from trainables.config.data import Data
from trainables.data.partition import split
from trainables.data.raw import CropFlipViews, RawData
from trainables.data.split import MakeSplit, Split


@dataclass(frozen=True, slots=True)
class DataSet:
    """Holds a data set, split, on a device.

    >>> from trainables.data import load
    >>> data = Data(name="cluttered_digits", options={"scenes": 100, "test": 100}, validation=0.2)
    >>> digits = load(data, "cpu")
    >>> len(digits.train), len(digits.validation), len(digits.test), digits.num_classes
    (80, 20, 100, 10)

    Attributes:
        train: what is trained on while choosing; augmented when asked for an epoch.
        validation: the held-out part of the train set, to choose by; not augmented.
        test: read by confirmation runs.
        all: train and validation together, to train on once the choice is made.
        classes: names of the classes, by label.
        image_size: height and width of the images, pixels.
    """

    train: Split
    validation: Split
    test: Split
    all: Split
    classes: tuple[str, ...]
    image_size: tuple[int, int]

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def augmented_as(self, data: Data) -> DataSet:
        """Return the set with what is trained on augmented as ``data`` says, in the same memory."""
        return replace(self, train=self.train.augmented_as(data), all=self.all.augmented_as(data))


def build(raw: RawData, data: Data, device: torch.device | str, workers: int | None) -> DataSet:
    """Split ``raw`` and put it on ``device``, as :func:`trainables.data.prepare` promises."""
    from trainables.data.resident import resident_parts

    train: MakeSplit
    test: MakeSplit
    parts = split(raw, data)
    device = torch.device(device)
    if isinstance(raw.augmentation, CropFlipViews):
        train, test = resident_parts(raw, parts, device)
    else:
        from trainables.data.streamed import streamed_parts  # torchvision takes seconds to import

        train, test = streamed_parts(raw, data, parts, device, workers)
    usual = DataSet(
        train=train(parts.train),
        validation=train(parts.validation),
        test=test(parts.test),
        all=train(np.sort(np.concatenate([parts.train, parts.validation]))),
        classes=parts.classes,
        image_size=raw.shown_size,
    )
    return usual.augmented_as(data)
