"""Class folders of one's own: parts, sizes, what is passed over, what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainables.data.conftest import save
from trainables.config import Data
from trainables.data import DataError, fingerprint, load, load_raw
from trainables.data.raw import CropFlipViews, StreamedViews
from trainables.data.readers.sized import Labelled, split_off

SIZES = (40, 64, 90, 130)
"""Sides of the pictures, so that none is shown as it is."""

Write = Callable[..., Data]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes class folders, each part with this many images a class."""

    def make(parts: dict[str, int], classes: tuple[str, ...] = ("ant", "bee"), **options: object) -> Data:
        for number, (part, count) in enumerate(parts.items()):
            for label, name in enumerate(classes):
                for i in range(count):
                    save(tmp_path / part / name / f"{i}.jpg", 100 * number + 10 * label + i, SIZES[i % 4])
        return Data(name="folder", root=str(tmp_path), validation=0.25, options=options)  # type: ignore[arg-type]

    return make


@pytest.mark.parametrize("test", ["val", "test"])
def test_train_and_one_other_part(write: Write, test: str) -> None:
    raw = load_raw(write({"train": 4, test: 2}, size=32))
    assert raw.classes == ("ant", "bee")
    assert raw.train_images.shape == (8, 32, 32, 3)
    assert raw.test_labels.tolist() == [0, 0, 1, 1]
    assert raw.held_out is None


def test_of_three_parts_val_is_what_is_held_out(write: Write) -> None:
    loaded = load(write({"train": 4, "val": 3, "test": 2}, size=32), "cpu")
    assert [len(part) for part in (loaded.train, loaded.validation, loaded.test)] == [8, 6, 4]


def test_one_tree_is_split_by_a_seed(write: Write) -> None:
    data = write({".": 8}, size=32, test=0.25)
    raw = load_raw(data)
    assert (len(raw.train_labels), np.bincount(raw.test_labels).tolist()) == (12, [2, 2])
    assert np.array_equal(load_raw(data).test_images, raw.test_images)
    assert np.array_equal(load_raw(replace(data, split_seed=5)).test_images, raw.test_images)
    other = load_raw(replace(data, options={**data.options, "seed": 1}))
    assert not np.array_equal(other.test_images, raw.test_images)


def test_a_draw_hangs_on_the_class_alone() -> None:
    labels = np.array([0] * 5 + [1] * 5)
    _, both = split_off(Labelled(np.arange(10), labels), 0.4, 3)
    _, one = split_off(Labelled(np.arange(5), labels[:5]), 0.4, 3)
    assert both.keys[both.labels == 0].tolist() == one.keys.tolist()


def test_a_small_size_stays_in_memory_and_a_large_one_is_read_in_each_epoch(write: Write) -> None:
    small = load_raw(write({"train": 4, "val": 2}, size=48))
    assert small.augmentation == CropFlipViews(padding=6, flip=True)
    assert 0.1 < small.std[0] < 0.4
    data = replace(write({"train": 4, "val": 2}), options={})
    large = load_raw(data)
    assert large.augmentation == StreamedViews(size=224, resize=256)
    assert large.train_images[0] == "train/ant/0.jpg"
    batch = next(load(data, "cpu", workers=0).train.batches(6, epoch=0, seed=0))
    assert batch.images.shape == (6, 3, 224, 224)
    own = replace(data, options={"size": 128, "resize": 128})
    assert load_raw(own).augmentation == StreamedViews(size=128, resize=128)


def test_an_image_is_resized_as_torchvision_does(write: Write) -> None:
    from PIL import Image
    from torchvision.transforms import functional

    data = write({"train": 4, "val": 2}, size=32)
    raw = load_raw(data)
    image = Image.open(Path(str(data.root)) / "train/ant/2.jpg").convert("RGB")
    assert image.size == (90, 112)
    expected = functional.center_crop(functional.resize(image, 32), 32)
    ours = torch.from_numpy(raw.train_images[2]).int()
    there = functional.pil_to_tensor(expected).permute(1, 2, 0).int()
    assert torch.equal(ours, there)


def test_images_below_class_folders_count_and_other_files_are_told(write: Write, tmp_path: Path) -> None:
    data = write({"train": 4, "val": 2}, size=32)
    save(tmp_path / "train/ant/more/deep.png", 5, 40)
    (tmp_path / "train/ant/notes.txt").write_text("x")
    (tmp_path / "train/bee/._0.jpg").write_text("x")
    before = fingerprint(data)
    raw = load_raw(data)
    assert len(raw.train_labels) == 9
    assert "passed over 2 entries" in raw.remarks[0]
    (tmp_path / "train/ant/notes.txt").unlink()
    assert fingerprint(data) == before
    (tmp_path / "train/ant/more/deep.png").unlink()
    assert fingerprint(data) != before


def test_a_part_may_lack_a_class_but_has_none_of_its_own(write: Write, tmp_path: Path) -> None:
    data = write({"train": 4, "val": 2}, ("ant", "bee", "cat"), size=32)
    shutil.rmtree(tmp_path / "val/bee")
    assert set(load_raw(data).test_labels) == {0, 2}
    (tmp_path / "val/cat").rename(tmp_path / "val/cow")
    with pytest.raises(DataError, match=r"^root: .*cow is a class that train/ has not"):
        load_raw(data)


@pytest.mark.parametrize(
    ("parts", "options", "message"),
    [
        (
            {"train": 2},
            {},
            "root: .* holds train/ and neither val/ nor test/; add one, or",
        ),
        ({"train": 2, "val": 2}, {"size": 20_000}, "options.size: 20000 is above 1024"),
        ({"train": 2, "val": 2}, {"size": 224, "resize": 100}, "options.resize: 100 is below the size, 224"),
        ({"train": 2, "val": 2}, {"test": 2.0}, "options.test: 2.0 is above 1.0"),
        ({"train": 2, "val": 2}, {"flip": 1}, "options.flip: 1 is not True or False"),
        ({"train": 2, "val": 2}, {"crop": 1}, "options.crop: unknown option"),
    ],
)
def test_what_does_not_do_is_refused(
    write: Write, parts: dict[str, int], options: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=f"^{message}"):
        load_raw(write(parts, **options))
