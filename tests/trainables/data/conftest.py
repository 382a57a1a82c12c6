"""Small data sets in every layout, made in a temporary folder."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trainables.config import Data

WNIDS = ("n01", "n02", "n03")


def picture(seed: int, side: int, mode: str = "RGB") -> Image.Image:
    """A smooth random picture, so that JPEG keeps it nearly as it is."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return small.resize((side, side + side // 4) if side > 64 else (side, side)).convert(mode)


def save(path: Path, seed: int, side: int, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, side, mode).save(path, quality=95)


@pytest.fixture
def arrays() -> dict[str, Any]:
    """Arrays of a packed set: 3 classes, 60 training and 12 test images of 8 x 8."""
    rng = np.random.default_rng(0)
    return {
        "train_images": rng.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8),
        "train_labels": np.arange(60) % 3,
        "test_images": rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8),
        "test_labels": np.arange(12) % 3,
        "classes": np.array(["ant", "bee", "cat"]),
    }


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Data]:
    """Write arrays to an .npz file, and name it by a ``Data``."""

    def write(arrays: dict[str, Any], **changes: Any) -> Data:
        path = tmp_path / "set.npz"
        np.savez(path, **arrays)
        return Data(**{"name": "packed", "root": str(path), "validation": 0.2, **changes})

    return write


@pytest.fixture
def cifar100(tmp_path: Path) -> Data:
    """The archive's layout with 4 classes, 40 training and 8 test images."""
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for name, size in (("train", 40), ("test", 8)):
        part = {
            b"data": rng.integers(0, 256, (size, 3072), dtype=np.uint8),
            b"fine_labels": [i % 4 for i in range(size)],
        }
        (folder / name).write_bytes(pickle.dumps(part, protocol=2))
    names = {b"fine_label_names": [b"apple", b"bear", b"chair", b"dolphin"]}
    (folder / "meta").write_bytes(pickle.dumps(names, protocol=2))
    return Data(name="cifar100", root=str(tmp_path), validation=0.25)


@pytest.fixture
def imagenet(tmp_path: Path) -> Data:
    """3 classes with 4 training images and 2 others; one of them greyscale, one CMYK."""
    for label, wnid in enumerate(WNIDS):
        for i in range(6):
            part = "train" if i < 4 else "val"
            mode = {(0, 0): "L", (1, 1): "CMYK"}.get((label, i), "RGB")
            save(tmp_path / part / wnid / f"{i}.JPEG", 10 * label + i, 240, mode)
    return Data(name="imagenet", root=str(tmp_path), validation=0.25)


@pytest.fixture
def tiny_imagenet(tmp_path: Path) -> Data:
    """3 classes with 4 training images and 2 others of 64 x 64; one of them greyscale."""
    lines = []
    for label, wnid in enumerate(WNIDS):
        for i in range(4):
            mode = "L" if (label, i) == (2, 3) else "RGB"
            save(tmp_path / f"train/{wnid}/images/{wnid}_{i}.JPEG", 10 * label + i, 64, mode)
        for i in range(2):
            save(tmp_path / f"val/images/val_{2 * label + i}.JPEG", 100 + 10 * label + i, 64)
            lines.append(f"val_{2 * label + i}.JPEG\t{wnid}\t0\t0\t62\t62")
    (tmp_path / "val/val_annotations.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "wnids.txt").write_text("n03\nn01\nn02\n")
    (tmp_path / "words.txt").write_text("n01\tred fox, Vulpes vulpes\nn02\tgoldfish\nn03\tox\n")
    return Data(name="tiny_imagenet", root=str(tmp_path), validation=0.25)


@pytest.fixture
def cub200(tmp_path: Path) -> Data:
    """2 classes with 4 training and 2 test images each."""
    images, labels, split = [], [], []
    for label, folder in enumerate(("001.Black_footed_Albatross", "002.Laysan_Albatross")):
        for i in range(6):
            number = 6 * label + i + 1
            save(tmp_path / f"images/{folder}/{i}.jpg", number, 240)
            images.append(f"{number} {folder}/{i}.jpg")
            labels.append(f"{number} {label + 1}")
            split.append(f"{number} {int(i % 3 != 0)}")
    (tmp_path / "images.txt").write_text("\n".join(images) + "\n")
    (tmp_path / "image_class_labels.txt").write_text("\n".join(labels) + "\n")
    (tmp_path / "train_test_split.txt").write_text("\n".join(split) + "\n")
    (tmp_path / "classes.txt").write_text("1 001.Black_footed_Albatross\n2 002.Laysan_Albatross\n")
    return Data(name="cub200", root=str(tmp_path), validation=0.25)
