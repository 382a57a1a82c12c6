"""Reads and checks data sets (:func:`load_raw`), splits them and puts them on a device (:func:`prepare`).

>>> from trainables.config import Data
>>> data = load(Data(name="cluttered_digits", validation=0.2), "cpu")
>>> for images, target, index, view in data.train.batches(64, epoch=0, seed=1):
...     pass  # images [B,3,32,32] float32, normalised

Importing this package and checking a ``Data`` imports neither torch nor numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, cast

from trainables.config.data import Data
from trainables.data.raw import DataError, RawData
from trainables.data.registry import check, check_classes, names, root, source
from trainables.lazy import hand_on

if TYPE_CHECKING:
    import torch

    from trainables.data.dataset import DataSet as DataSet
    from trainables.data.split import Batch as Batch
    from trainables.data.split import Split as Split
else:  # what computes needs torch
    __getattr__, __dir__, _ = hand_on(__name__)

__all__ = [
    "Batch",
    "DataError",
    "DataSet",
    "RawData",
    "Split",
    "check",
    "check_classes",
    "fingerprint",
    "load",
    "load_raw",
    "names",
    "prepare",
    "root",
]


def fingerprint(data: Data) -> str:
    """Return a hash of the data set's content, 64 hex digits; the same wherever it lies. Torch-free."""
    check(data)
    return cast(str, _reader(data).fingerprint(data))


def load_raw(data: Data) -> RawData:
    """Read and check the whole data set, not split; for one node to do once and share.

    Raises:
        DataError: a file is missing, damaged or not what it should be (the message names it), or the content
            is not the one that ``data.fingerprint`` stands for.
    """
    check(data)
    if data.fingerprint is not None and data.fingerprint != fingerprint(data):
        raise DataError(
            f"fingerprint: the content of {data.name} here differs from the one the study began with"
        )
    return cast(RawData, _reader(data).read(data))


def prepare(raw: RawData, data: Data, device: torch.device | str, *, workers: int | None = None) -> DataSet:
    """Split ``raw`` as ``data`` says and put it on ``device``.

    Args:
        workers: threads that decode the images of a streamed set; 0 for none beside the caller's, None for
            as many as torch has (which Ray sets to the CPUs of the trial). It changes the speed only.
    """
    from trainables.data.dataset import build

    return build(raw, data, device, workers)


def load(data: Data, device: torch.device | str, *, workers: int | None = None) -> DataSet:
    """Read, check, split and put on ``device`` a data set: :func:`prepare` of :func:`load_raw`."""
    return prepare(load_raw(data), data, device, workers=workers)


def _reader(data: Data) -> Any:
    return importlib.import_module(f"trainables.data.readers.{source(data.name).module}")
