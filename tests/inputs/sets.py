"""Small data sets in the layouts people have, and what happens to them on the way."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from trainables.config import Data

Change = Callable[[Path], object]


def imagenet(*changes: Change, **fields: Any) -> Callable[[Path], Data]:
    """Two classes of four images in train/ and two in val/, then changed."""

    def make(place: Path) -> Data:
        for part, size in (("train", 4), ("val", 2)):
            for wnid in ("n01", "n02"):
                for number in range(size):
                    image(f"{part}/{wnid}/{number}.JPEG")(place)
        return changed(place, changes, Data(**{"name": "imagenet", "root": str(place), **fields}))

    return make


def cub200(*changes: Change) -> Callable[[Path], Data]:
    """Two classes of four images for training and two for test, then changed."""

    def make(place: Path) -> Data:
        lists: dict[str, list[str]] = {"images": [], "image_class_labels": [], "train_test_split": []}
        for number in range(1, 13):
            label = 1 + (number > 6)
            name = f"00{label}.Bird_{label}/{number}.jpg"
            image(f"images/{name}")(place)
            lists["images"].append(f"{number} {name}")
            lists["image_class_labels"].append(f"{number} {label}")
            lists["train_test_split"].append(f"{number} {int(number % 3 != 0)}")
        for name, lines in lists.items():
            (place / f"{name}.txt").write_text("\n".join(lines) + "\n")
        (place / "classes.txt").write_text("1 001.Bird_1\n2 002.Bird_2\n")
        return changed(place, changes, Data(name="cub200", root=str(place)))

    return make


def cifar100(train: dict[bytes, Any] | None = None, protocol: int = 2) -> Callable[[Path], Data]:
    """Two classes of ten images, with other fields of the training file."""

    def make(place: Path) -> Data:
        folder = place / "cifar-100-python"
        folder.mkdir()
        for name, size in (("train", 20), ("test", 4)):
            labels = [number % 2 for number in range(size)]
            content = {b"data": np.zeros((size, 3072), np.uint8), b"fine_labels": labels}
            content |= train or {} if name == "train" else {}
            (folder / name).write_bytes(pickle.dumps(content, protocol=protocol))
        names = {b"fine_label_names": [b"apple", b"bear"]}
        (folder / "meta").write_bytes(pickle.dumps(names, protocol=protocol))
        return Data(name="cifar100", root=str(place))

    return make


def packed(train: list[int], test: list[int], **fields: Any) -> Callable[[Path], Data]:
    """Images of 8 x 8 with these labels, of as many classes as the fields say, or 2."""

    def make(place: Path) -> Data:
        count = max(max(train, default=0) + 1, 2)
        np.savez(
            place / "set.npz",
            train_images=np.zeros((len(train), 8, 8, 3), np.uint8),
            train_labels=np.array(train, dtype=int),
            test_images=np.zeros((len(test), 8, 8, 3), np.uint8),
            test_labels=np.array(test, dtype=int),
            classes=np.array([f"c{number}" for number in range(count)]),
        )
        return Data(**{"name": "packed", "root": str(place / "set.npz"), **fields})

    return make


def digits(**fields: Any) -> Callable[[Path], Data]:
    """The generated set, 100 scenes."""
    return lambda place: Data(name="cluttered_digits", **{"options": {"scenes": 100, "test": 100}, **fields})


def changed(place: Path, changes: tuple[Change, ...], data: Data) -> Data:
    """``data`` after all ``changes``."""
    for change in changes:
        change(place)
    return data


def image(path: str, mode: str = "RGB", side: int = 16) -> Change:
    """Save a picture at ``path``."""

    def make(place: Path) -> None:
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (side, side), (90, 120, 30)).convert(mode).save(place / path)

    return make


def file(path: str, content: bytes = b"x") -> Change:
    """Write a file at ``path``."""

    def make(place: Path) -> None:
        target = Path(os.fsdecode(os.fsencode(place) + b"/" + os.fsencode(path)))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    return make


def link(path: str, to: str) -> Change:
    """Make a link at ``path``, in the place of what may be there."""

    def make(place: Path) -> None:
        (place / path).unlink(missing_ok=True)
        (place / path).symlink_to(to)

    return make


def edited(path: str, edit: Callable[[bytes], bytes]) -> Change:
    """Write a file anew."""
    return lambda place: (place / path).write_bytes(edit((place / path).read_bytes()))


def moved(path: str, to: str) -> Change:
    """Move a file or a folder."""
    return lambda place: (place / path).rename(place / to)


def beside_each(name: Callable[[str], str], content: bytes = b"\0\5\26\7") -> Change:
    """Write a further file beside each image, as some systems do."""

    def make(place: Path) -> None:
        for found in [path for path in place.rglob("*") if path.suffix.lower() in (".jpeg", ".jpg")]:
            found.with_name(name(found.name)).write_bytes(content)

    return make
