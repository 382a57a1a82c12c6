"""Reads any data set of small images from one ``.npz`` file, as ``numpy.savez`` writes it.

==================================  =========================================================
``train_images``, ``test_images``   [N,H,W,3] uint8, all of one size
``train_labels``, ``test_labels``   [N] integers, positions in ``classes``
``classes``                         [K] text, names of the classes
==================================  =========================================================

Options: ``padding`` of the random crop in pixels, and ``flip``, whether images may be mirrored.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from trainables.config.data import Data
from trainables.data.raw import CropFlipViews, DataError, RawData
from trainables.data.registry import options, root

ARRAYS = ("classes", "test_images", "test_labels", "train_images", "train_labels")
_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, NotImplementedError)


def read(data: Data) -> RawData:
    """Return all arrays of the file, checked."""
    path, chosen = root(data), options(data)
    with _archive(path) as archive:
        arrays = {name: _array(path, archive, name) for name in ARRAYS}
    classes = arrays["classes"]
    if classes.ndim != 1 or classes.dtype.kind != "U" or len(classes) < 2:
        raise _wrong(path, f"classes is {_shown(classes)}, not a list of 2 or more names")
    for part in ("train", "test"):
        _check_images(path, part, arrays[f"{part}_images"])
        _check_labels(path, part, arrays[f"{part}_labels"], len(arrays[f"{part}_images"]), len(classes))
    if arrays["train_images"].shape[1:] != arrays["test_images"].shape[1:]:
        raise _wrong(path, "train_images and test_images differ in size")
    mean, std = channel_statistics(arrays["train_images"])
    return RawData(
        train_images=arrays["train_images"],
        train_labels=arrays["train_labels"].astype(np.int64),
        test_images=arrays["test_images"],
        test_labels=arrays["test_labels"].astype(np.int64),
        classes=tuple(str(name) for name in classes),
        mean=mean,
        std=std,
        augmentation=CropFlipViews(padding=cast(int, chosen["padding"]), flip=cast(bool, chosen["flip"])),
    )


def fingerprint(data: Data) -> str:
    """Return a hash of the arrays; how the file is compressed does not matter."""
    path = root(data)
    digest = hashlib.sha256()
    with _archive(path) as archive:
        for name in ARRAYS:
            digest.update(name.encode())
            try:
                with _member(archive, name) as member:
                    while block := member.read(1 << 20):
                        digest.update(block)
            except _DAMAGE as error:
                raise _wrong(path, f"{name} cannot be read ({error})") from error
    return digest.hexdigest()


def channel_statistics(
    images: NDArray[np.uint8],
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return mean and standard deviation of each channel of [N,H,W,3], for pixels in [0, 1]; exact."""
    levels = np.arange(256, dtype=np.int64)
    mean, std = [], []
    for channel in range(3):
        counts = np.bincount(images[..., channel].ravel(), minlength=256)
        total = int(counts.sum())
        first, second = int((counts * levels).sum()), int((counts * levels**2).sum())
        mean.append(first / total / 255)
        std.append(max((second * total - first * first) ** 0.5 / total / 255, 1e-3))
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise _wrong(path, f"not a whole .npz file ({error})") from error


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    return archive.open(f"{name}.npy")


def _array(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    try:
        with _member(archive, name) as member:
            return np.lib.format.read_array(member, allow_pickle=False)
    except KeyError:
        raise _wrong(path, f"holds no {name}") from None
    except _DAMAGE as error:
        raise _wrong(path, f"{name} cannot be read ({error})") from error


def _check_images(path: Path, part: str, images: NDArray[Any]) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or not images.size:
        raise _wrong(path, f"{part}_images is {_shown(images)}, not [N,H,W,3] uint8")


def _check_labels(path: Path, part: str, labels: NDArray[Any], size: int, num_classes: int) -> None:
    if labels.dtype.kind not in "iu" or labels.shape != (size,):
        raise _wrong(path, f"{part}_labels is {_shown(labels)}, not [{size}] integers")
    outside = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(outside):
        raise _wrong(
            path,
            f"{part}_labels[{outside[0]}] is {labels[outside[0]]}, outside the classes 0..{num_classes - 1}",
        )


def _shown(array: NDArray[Any]) -> str:
    return f"[{','.join(map(str, array.shape))}] {array.dtype}"


def _wrong(path: Path, what: str) -> DataError:
    return DataError(f"root: {path}: {what}; write it again with numpy.savez")
