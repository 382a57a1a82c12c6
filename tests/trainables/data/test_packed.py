"""Packed arrays: what is wrong with a file is said, with the file and the array."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables.config import Data
from trainables.data import DataError, fingerprint, load_raw
from trainables.data.raw import CropFlipViews
from trainables.data.readers.packed import channel_statistics

Pack = Callable[..., Data]


def test_arrays_come_back_as_they_were(pack: Pack, arrays: dict[str, Any]) -> None:
    raw = load_raw(pack(arrays, options={"padding": 1, "flip": False}))
    assert np.array_equal(raw.train_images, arrays["train_images"])
    assert np.array_equal(raw.test_labels, arrays["test_labels"])
    assert raw.train_labels.dtype == np.int64
    assert raw.classes == ("ant", "bee", "cat")
    assert raw.augmentation == CropFlipViews(padding=1, flip=False)


def test_channel_statistics(arrays: dict[str, Any]) -> None:
    mean, std = channel_statistics(arrays["train_images"])
    pixels = arrays["train_images"].astype(np.float64) / 255
    np.testing.assert_allclose(mean, pixels.mean((0, 1, 2)), atol=1e-12)
    np.testing.assert_allclose(std, pixels.std((0, 1, 2)), atol=1e-12)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("train_images", None, "holds no train_images"),
        ("train_images", np.zeros((60, 8, 8, 3), np.float32), r"train_images is \[60,8,8,3\] float32, not"),
        ("train_images", np.zeros((60, 3, 8, 8), np.uint8), r"train_images is \[60,3,8,8\] uint8, not"),
        ("test_images", np.zeros((0, 8, 8, 3), np.uint8), r"test_images is \[0,8,8,3\] uint8, not"),
        ("test_images", np.zeros((12, 9, 9, 3), np.uint8), "train_images and test_images differ in size"),
        ("train_labels", np.full(60, 3), r"train_labels\[0\] is 3, outside the classes 0\.\.2"),
        ("test_labels", np.full(12, -1), r"test_labels\[0\] is -1, outside"),
        ("train_labels", np.zeros(59, np.int64), r"train_labels is \[59\] int64, not \[60\] integers"),
        ("train_labels", np.zeros(60), r"train_labels is \[60\] float64, not"),
        ("classes", np.array(["ant"]), "classes is .* not a list of 2 or more names"),
        ("classes", np.array(["ant", "bee", "cat"], dtype=object), "classes cannot be read"),
    ],
)
def test_a_wrong_array_is_named(
    pack: Pack, arrays: dict[str, Any], name: str, value: Any, message: str
) -> None:
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value
    with pytest.raises(DataError, match=rf"^root: .*set\.npz: {message}"):
        load_raw(pack(arrays))


def test_a_cut_off_or_foreign_file_is_named(pack: Pack, arrays: dict[str, Any]) -> None:
    data = pack(arrays)
    path = Path(str(data.root))
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[200] ^= 255
    for content in (whole[: len(whole) // 2], b"", b"not an archive", bytes(damaged)):
        path.write_bytes(content)
        for read in (load_raw, fingerprint):
            with pytest.raises(DataError, match=r"^root: .*set\.npz: "):
                read(data)


def test_the_fingerprint_is_of_the_arrays(pack: Pack, arrays: dict[str, Any], tmp_path: Path) -> None:
    data = pack(arrays)
    elsewhere = tmp_path / "elsewhere.npz"
    np.savez_compressed(elsewhere, **arrays)
    assert fingerprint(Data(name="packed", root=str(elsewhere))) == fingerprint(data)
    first = fingerprint(data)
    arrays["train_labels"] = arrays["train_labels"][::-1]
    assert fingerprint(pack(arrays)) != first
