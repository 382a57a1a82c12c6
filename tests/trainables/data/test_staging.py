"""A batch finished on the host, image by image, and one finished on a device, all at once."""

from __future__ import annotations

import numpy as np
import torch

from trainables.data.augment import normalise_planes
from trainables.data.copy_stream import CopyStream
from trainables.data.raw import IMAGENET_MEAN, IMAGENET_STD
from trainables.data.resampling import resized
from trainables.data.staging import DeviceStaging, HostStaging, Staging

MEAN, STD, SIZE = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD), 32
CROPS = [
    np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for height, width in ((32, 32), (64, 50), (20, 31), (90, 40), (300, 200))
]


def filled(batch: Staging) -> torch.Tensor:
    for row, crop in reversed(list(enumerate(CROPS))):
        batch.put(row, crop, flip=row % 2 == 1)
    return batch.images()


def test_the_host_resizes_mirrors_and_normalises_as_is_done_for_whole_batches() -> None:
    expected = [resized(crop, SIZE, SIZE) for crop in CROPS]
    expected = [image[:, ::-1] if row % 2 else image for row, image in enumerate(expected)]
    planes = torch.from_numpy(np.stack(expected)).permute(0, 3, 1, 2).contiguous()
    images = filled(HostStaging(len(CROPS), SIZE, MEAN, STD))
    assert torch.equal(images, normalise_planes(planes, MEAN, STD))
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_a_device_shows_the_same_within_a_level() -> None:
    host = filled(HostStaging(len(CROPS), SIZE, MEAN, STD))
    device = filled(DeviceStaging(CopyStream(MEAN.device), len(CROPS), 2 * SIZE, SIZE, MEAN, STD))
    levels = (host - device) * STD[:, None, None] * 255
    assert levels.abs().max() < 1.01
    assert torch.equal(device[[0, 3, 4]], host[[0, 3, 4]])  # no resizing, and too large for the device
