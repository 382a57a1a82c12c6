"""Reads ImageNet (ILSVRC 2012), or any set laid out like it: ``train/<wnid>/*`` and ``val/<wnid>/*``.

Classes are the folders of ``train``, sorted. The official validation images are ``test`` here; the
validation part comes out of train, as with every other set.
"""

from __future__ import annotations

from trainables.config.data import Data
from trainables.data.raw import IMAGENET_MEAN, IMAGENET_STD, DataError, RawData, StreamedViews
from trainables.data.readers import image_folders as folders
from trainables.data.registry import root


def read(data: Data) -> RawData:
    """Return paths and labels; the images are read while training."""
    place = root(data)
    over = folders.PassedOver()
    wnids = folders.class_folders(place, "train", over)
    unknown = sorted(set(folders.class_folders(place, "val", over)) - set(wnids))
    if unknown:
        where = folders.shown(place / "val" / unknown[0])
        raise DataError(f"root: {where} is a class that train/ has not; the classes of both have to agree")
    train_paths, train_labels = folders.images_of_classes(place, [f"train/{wnid}" for wnid in wnids], over)
    test_paths, test_labels = folders.images_of_classes(place, [f"val/{wnid}" for wnid in wnids], over)
    return RawData(
        train_images=train_paths,
        train_labels=train_labels,
        test_images=test_paths,
        test_labels=test_labels,
        classes=tuple(map(folders.shown, wnids)),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        augmentation=StreamedViews(size=224, resize=256),
        remarks=over.remarks(),
    )


def fingerprint(data: Data) -> str:
    """Return a hash of the images' paths and sizes."""
    place = root(data)
    parts = [f"{part}/{wnid}" for part in ("train", "val") for wnid in folders.class_folders(place, part)]
    return folders.fingerprint(place, parts)
