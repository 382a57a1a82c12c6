"""ImageNet (ILSVRC 2012), or any set of images laid out like it: ``train/<wnid>/*`` and ``val/<wnid>/*``.

Classes are the folders of ``train``, sorted. The official validation images are ``test`` here; the
validation part comes out of train, as with every other set.
"""

from __future__ import annotations

from trainables.config.trial import Data
from trainables.data.raw import IMAGENET_MEAN, IMAGENET_STD, DataError, RawData, StreamedViews
from trainables.data.readers import image_folders as folders
from trainables.data.registry import root


def read(data: Data) -> RawData:
    """Paths and labels; the images are read while training."""
    place = root(data)
    wnids = folders.class_folders(place, "train")
    unknown = sorted(set(folders.class_folders(place, "val")) - set(wnids))
    if unknown:
        raise DataError(f"root: {place / 'val' / unknown[0]} is a class that train/ has not; unpack it again")
    train_paths, train_labels = folders.images_of_classes(place, [f"train/{wnid}" for wnid in wnids])
    test_paths, test_labels = folders.images_of_classes(place, [f"val/{wnid}" for wnid in wnids])
    return RawData(
        train_images=train_paths,
        train_labels=train_labels,
        test_images=test_paths,
        test_labels=test_labels,
        classes=wnids,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        augmentation=StreamedViews(size=224, resize=256),
    )


def fingerprint(data: Data) -> str:
    """Hash of the images' paths and sizes."""
    place = root(data)
    parts = [f"{part}/{wnid}" for part in ("train", "val") for wnid in folders.class_folders(place, part)]
    return folders.fingerprint(place, parts)
