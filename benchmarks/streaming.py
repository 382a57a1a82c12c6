"""Images a second and core that are read, decoded, cropped and resized: files, and packed ones.

    python -m benchmarks.streaming                                          # made pictures
    python -m benchmarks.streaming --images tiny-imagenet-100/train --json result.json

Images of any folder are resized to 500 x 375, the usual size of ImageNet's, and saved as JPEG, in a temporary
folder: what is measured is how long they take. They compress better than photographs of that size, so that
real ones take longer to decode and packing gains more. ``Pillow`` is what research code does, and what this
project did: an image at a time, by torchvision's transforms. All ways run in one thread, by turns, on files
in the system's cache, and each gives float32 batches of 224 x 224. ``read`` is what a thread does where the
batch is resized on a GPU: there the crop is copied, no more.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from benchmarks.machine import machine, save, summary, table
from trainables.config import Data
from trainables.data import load_raw, prepare
from trainables.data.crops import random_crops, uniform
from trainables.data.decoding import pixel_reader
from trainables.data.packing import pack
from trainables.data.raw import IMAGENET_MEAN, IMAGENET_STD, RawData
from trainables.data.readers.image_files import read_rgb

WIDTH, HEIGHT, CLASSES, BATCH = 500, 375, 4, 64
Epoch = Callable[[int], Iterator[int]]
"""Reads the images of an epoch; yields how many it has read."""


def sources(folder: Path | None, count: int) -> Iterator[Image.Image]:
    """Yield images of a folder, or made ones: coarse noise under fine noise."""
    if folder is not None:
        kinds = (".jpeg", ".jpg", ".png")
        files = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in kinds)
        yield from map(read_rgb, islice(files, count))
        return
    random = np.random.default_rng(0)
    for _ in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        fine = random.normal(0, 6, (HEIGHT, WIDTH, 3))
        large = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
        yield Image.fromarray(np.clip(large + fine, 0, 255).astype(np.uint8))


def make(folder: Path, images: Iterator[Image.Image]) -> Data:
    """Save images as a set in ImageNet's layout."""
    for number, image in enumerate(images):
        for part in ("train", "val") if number < CLASSES else ("train",):
            path = folder / part / f"n{number % CLASSES:02d}" / f"{number}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(path, quality=90)
    return Data(name="imagenet", root=str(folder), validation=0.05)


def by_pillow(raw: RawData, data: Data) -> Epoch:
    """Return what reads an epoch as torchvision's reference scripts do."""
    root = Path(str(data.root))
    shown: Callable[[Image.Image], Tensor] = transforms.Compose(
        [
            transforms.RandomResizedCrop(224),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )

    def epoch(number: int) -> Iterator[int]:
        for keys in np.array_split(raw.train_images, -(-len(raw.train_images) // BATCH)):
            yield len(torch.stack([shown(read_rgb(root / str(key))) for key in keys]))

    return epoch


def ours(raw: RawData, data: Data) -> Epoch:
    """Return what reads an epoch as trials on a CPU do."""
    split = prepare(raw, data, "cpu", workers=0).all
    return lambda epoch: (len(batch.images) for batch in split.batches(BATCH, epoch=epoch))


def crops(raw: RawData, data: Data) -> Epoch:
    """Return what reads and copies the crops of an epoch, which a GPU then resizes."""
    read, index = pixel_reader(data), np.arange(len(raw.train_images))

    def epoch(number: int) -> Iterator[int]:
        for part in np.array_split(index, -(-len(index) // 8)):
            images = [read(raw.train_images[row]) for row in part]
            sizes = np.array([image.shape[:2] for image in images])
            boxes = random_crops(sizes, uniform(0, number, part)).boxes.tolist()
            for image, (top, left, height, width) in zip(images, boxes, strict=True):
                image[top : top + height, left : left + width].copy()
            yield len(images)

    return epoch


def measure(ways: dict[str, Epoch], rounds: int) -> list[dict[str, Any]]:
    """Measure all ways by turns; return the rows of the table."""
    clock: dict[str, list[float]] = {way: [] for way in ways}
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, epoch in ways.items():
            began, used = time.perf_counter(), time.process_time()
            count = sum(epoch(number))
            if number:  # the first finds the system's cache empty
                clock[way].append(count / (time.perf_counter() - began))
                cpu[way].append(count / (time.process_time() - used))
    plain = cpu[next(iter(ways))]
    return [
        {
            "way": way,
            "images/s": summary(clock[way])["median"],
            "images/s of CPU time": summary(cpu[way])["median"],
            "times Pillow, CPU time": summary([a / b for a, b in zip(cpu[way], plain, strict=True)])[
                "median"
            ],
        }
        for way in ways
    ]


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Make the sets, measure all ways, and print a table."""
    torch.set_num_threads(1)
    about = machine()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch, "files")
        data = make(root, sources(args.images, args.count))
        raw = load_raw(data)
        ways = {
            "files, Pillow": by_pillow(raw, data),
            "files": ours(raw, data),
            "files, read": crops(raw, data),
        }
        sizes = {"files": sum(path.stat().st_size for path in root.rglob("*.JPEG"))}
        for name, quality in (("packed, JPEG 90", 90), ("packed, pixels", 0)):
            place = Path(scratch, name)
            sizes[name] = pack(raw, data, place, quality=quality).bytes
            packed = replace(data, name="mapped", root=str(place))
            mapped = load_raw(packed)
            ways |= {name: ours(mapped, packed), f"{name}, read": crops(mapped, packed)}
        rows = measure(ways, args.rounds)
    count = len(raw.train_images) + len(raw.test_images)
    kilobytes = {name: size / count / 1000 for name, size in sizes.items()}
    print(table(rows), f"\nkB an image: {kilobytes}", flush=True)
    whole = {"benchmark": "streaming", "machine": about, "images": count, "kB": kilobytes, "results": rows}
    save(args.json, whole)
    return whole


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made_of.add_argument("--images", type=Path, help="folder of images to take; made ones by default")
    made_of.add_argument("--count", type=int, default=400)
    made_of.add_argument("--rounds", type=int, default=5)
    made_of.add_argument("--json", help="file for the result")
    return made_of


if __name__ == "__main__":
    run(parser().parse_args())
