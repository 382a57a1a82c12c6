"""Reads CIFAR-100 and CIFAR-10 from their Python archives (cs.toronto.edu/~kriz/cifar.html).

The archives are pickles. They are read by an unpickler that admits numpy arrays and plain values and nothing
else, so that a doctored file cannot run code. ``options.download`` fetches a missing archive by torchvision.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from trainables.config.data import Data
from trainables.data.raw import CropFlipViews, DataError, RawData
from trainables.data.registry import check_files, options, root


@dataclass(frozen=True, slots=True)
class CifarArchive:
    """Says where a CIFAR archive keeps images, labels and names, and the statistics of its pixels."""

    folder: str
    train: tuple[str, ...]
    test: str
    meta: str
    labels: bytes
    names: bytes
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


ARCHIVES = {
    "cifar100": CifarArchive(
        folder="cifar-100-python",
        train=("train",),
        test="test",
        meta="meta",
        labels=b"fine_labels",
        names=b"fine_label_names",
        mean=(0.5071, 0.4867, 0.4408),
        std=(0.2675, 0.2565, 0.2761),
    ),
    "cifar10": CifarArchive(
        folder="cifar-10-batches-py",
        train=("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"),
        test="test_batch",
        meta="batches.meta",
        labels=b"labels",
        names=b"label_names",
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
    ),
}


def read(data: Data) -> RawData:
    """Return all images, in the order of the archive."""
    archive, folder = ARCHIVES[data.name], _folder(data)
    path = folder / archive.meta
    names = _field(path, _load(path), archive.names)
    if not isinstance(names, (list, tuple, np.ndarray)) or len(names) < 2:
        raise _wrong(path, f"its {archive.names.decode()} is no list of 2 or more names")
    classes = tuple(os.fsdecode(name) if isinstance(name, bytes) else str(name) for name in names)
    train = [_read_part(folder / name, archive.labels, len(classes)) for name in archive.train]
    test_images, test_labels = _read_part(folder / archive.test, archive.labels, len(classes))
    return RawData(
        train_images=np.concatenate([images for images, _ in train]),
        train_labels=np.concatenate([labels for _, labels in train]),
        test_images=test_images,
        test_labels=test_labels,
        classes=classes,
        mean=archive.mean,
        std=archive.std,
        augmentation=CropFlipViews(padding=4, flip=True),
    )


def fingerprint(data: Data) -> str:
    """Return a hash of the archive's files."""
    archive, folder = ARCHIVES[data.name], _folder(data)
    digest = hashlib.sha256()
    for name in (*archive.train, archive.test, archive.meta):
        try:
            with (folder / name).open("rb") as file:
                digest.update(name.encode() + hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise _wrong(folder / name, f"cannot be read ({error})") from error
    return digest.hexdigest()


class _ArraysOnly(pickle.Unpickler):
    """Unpickles plain values and numpy arrays and nothing else, so that a doctored file runs no code."""

    ALLOWED = frozenset({"_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer", "encode"})
    MODULES = frozenset(
        {
            *("numpy", "numpy.core.multiarray", "numpy.core.numeric"),
            *("numpy._core.multiarray", "numpy._core.numeric", "_codecs"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if module not in self.MODULES or name not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no CIFAR archive does")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _load(path: Path) -> dict[bytes, Any]:
    def unpickle(file: IO[bytes]) -> Any:
        return _ArraysOnly(file, encoding="bytes").load()

    try:
        with path.open("rb") as file:
            content = unpickle(file)
    except Exception as error:  # a damaged pickle can fail in any way
        raise _wrong(path, f"cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise _wrong(path, "holds no dictionary")
    return {key.encode() if isinstance(key, str) else key: value for key, value in content.items()}


def _field(path: Path, content: dict[bytes, Any], name: bytes) -> Any:
    if name not in content:
        raise _wrong(path, f"holds no {name.decode()}")
    return content[name]


def _read_part(
    path: Path, labels_name: bytes, num_classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images [N,32,32,3] and labels [N] of one file."""
    content = _load(path)
    pixels = _field(path, content, b"data")
    if (
        not isinstance(pixels, np.ndarray)
        or pixels.dtype != np.uint8
        or pixels.ndim != 2
        or pixels.shape[1] != 3072
    ):
        raise _wrong(path, "its images are not [N,3072] uint8")
    found = _field(path, content, labels_name)
    try:
        labels = np.asarray(found)
    except ValueError as error:
        raise _wrong(path, f"its labels are no list of numbers ({error})") from error
    if labels.shape != (len(pixels),):
        raise _wrong(path, f"it has {len(pixels)} images and {labels.shape} labels")
    if labels.dtype.kind not in "iu" or not len(labels):
        raise _wrong(path, f"it has {len(labels)} labels, of type {labels.dtype}, not whole numbers")
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= num_classes:
        raise _wrong(path, f"a label is outside 0..{num_classes - 1}")
    images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return images, labels.astype(np.int64)


def _folder(data: Data) -> Path:
    """Return the archive's folder; fetched first if it is missing and ``options.download`` asks for that."""
    folder = root(data) / ARCHIVES[data.name].folder
    if options(data)["download"] and not folder.exists():
        import torchvision

        kind = {"cifar10": torchvision.datasets.CIFAR10, "cifar100": torchvision.datasets.CIFAR100}[data.name]
        try:
            kind(str(root(data)), download=True)
        except (OSError, RuntimeError) as error:
            raise DataError(f"options.download: {data.name} could not be fetched ({error})") from error
    check_files(data)
    return folder


def _wrong(path: Path, what: str) -> DataError:
    return DataError(f"root: {path}: {what}; unpack the archive again")
