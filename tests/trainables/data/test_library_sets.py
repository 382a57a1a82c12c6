"""Sets of torchvision and Hugging Face by name, from files that the tests make; nothing is fetched."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets as there
from PIL import Image

from tests.trainables.data.conftest import picture, save
from trainables.config import Data
from trainables.data import DataError, check, fingerprint, load, load_raw
from trainables.data.inspection import read_every
from trainables.data.raw import CropFlipViews, StreamedViews


@pytest.fixture
def cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Data:
    """The archive's files with few images, under the hashes torchvision then expects."""
    rng, folder = np.random.default_rng(0), tmp_path / "cifar-10-batches-py"
    folder.mkdir()

    def write(name: str, content: object) -> list[str]:
        whole = pickle.dumps(content)
        (folder / name).write_bytes(whole)
        return [name, hashlib.md5(whole).hexdigest()]

    lists = []
    for name, size in (("data_batch_1", 40), ("test_batch", 8)):
        pixels = rng.integers(0, 256, (size, 3072), dtype=np.uint8)
        lists.append(write(name, {"data": pixels, "labels": [i % 4 for i in range(size)]}))
    meta = write("batches.meta", {"label_names": ["ant", "bee", "cat", "dog"]})
    monkeypatch.setattr(there.CIFAR10, "train_list", lists[:1])
    monkeypatch.setattr(there.CIFAR10, "test_list", lists[1:])
    monkeypatch.setattr(there.CIFAR10, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]})
    return Data(name="torchvision:CIFAR10", root=str(tmp_path), validation=0.25)


def eurosat(tmp_path: Path) -> Data:
    """EuroSAT's layout, one tree of 64 x 64 pictures."""
    for label, name in enumerate(("Forest", "River")):
        for i in range(10):
            save(tmp_path / "eurosat/2750" / name / f"{name}_{i}.jpg", 10 * label + i, 64)
    return Data(name="torchvision:EuroSAT", root=str(tmp_path), validation=0.25)


def country211(tmp_path: Path) -> Data:
    """Country211's layout, three parts of larger pictures."""
    for part, size in (("train", 4), ("valid", 3), ("test", 2)):
        for label, name in enumerate(("AT", "BE")):
            for i in range(size):
                save(tmp_path / "country211" / part / name / f"{i}.jpg", 10 * label + i, 240)
    return Data(name="torchvision:Country211", root=str(tmp_path), validation=0.25)


def test_small_images_are_kept_as_they_are(cifar10: Data) -> None:
    raw = load_raw(cifar10)
    assert raw.classes == ("ant", "bee", "cat", "dog")
    assert np.array_equal(raw.train_images, there.CIFAR10(str(cifar10.root)).data)
    assert raw.augmentation == CropFlipViews(padding=4, flip=True)
    assert raw.test_labels.tolist() == [0, 1, 2, 3] * 2
    loaded = load(cifar10, "cpu")
    assert (len(loaded.train), len(loaded.validation), len(loaded.test)) == (32, 8, 8)


def test_the_fingerprint_is_of_the_content(cifar10: Data, tmp_path: Path) -> None:
    first = fingerprint(cifar10)
    assert fingerprint(replace(cifar10, options={"size": 64})) == first
    data = eurosat(tmp_path / "e")
    before = fingerprint(data)
    (tmp_path / "e").rename(tmp_path / "moved")
    moved = replace(data, root=str(tmp_path / "moved"))
    assert fingerprint(moved) == before != first
    (tmp_path / "moved/eurosat/2750/River/River_3.jpg").unlink()
    assert fingerprint(moved) != before


def test_a_set_in_one_piece_is_split_by_a_seed(tmp_path: Path) -> None:
    raw = load_raw(eurosat(tmp_path))
    assert raw.train_images.shape == (16, 64, 64, 3)
    assert np.bincount(raw.test_labels).tolist() == [2, 2]
    assert raw.classes == ("Forest", "River")


def test_large_images_are_read_in_each_epoch_and_valid_is_held_out(tmp_path: Path) -> None:
    data = country211(tmp_path)
    raw = load_raw(data)
    assert raw.augmentation == StreamedViews(size=224, resize=256)
    loaded = load(data, "cpu", workers=0)
    assert [len(part) for part in (loaded.train, loaded.validation, loaded.test)] == [8, 6, 4]
    own = replace(data, options={"size": 128})
    batch = next(load(own, "cpu", workers=2).validation.batches(6, epoch=None))
    assert batch.images.shape == (6, 3, 128, 128)
    assert batch.index.tolist() == list(range(8, 14))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    data = country211(tmp_path)
    path = tmp_path / "country211/valid/BE/1.jpg"
    path.write_bytes(path.read_bytes()[:300])
    faults = [fault for fault in read_every(load_raw(data), data) if fault is not None]
    assert [str(fault).split(" cannot")[0] for fault in faults] == [f"root: {path}"]
    Image.fromarray(np.full((64, 64), 4095, np.uint16)).save(path, "PNG")
    faults = [fault for fault in read_every(load_raw(data), data) if fault is not None]
    assert "16" in str(faults[0])
    assert "save it as 8-bit" in str(faults[0])


def test_labels_are_asked_for_where_a_set_keeps_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = (30, (3, 32, 32), 3, None, None, 0)
    monkeypatch.setattr(there.FakeData.__init__, "__defaults__", defaults)
    raw = load_raw(Data(name="torchvision:FakeData", root=str(tmp_path), validation=0.25))
    assert raw.classes == ("0", "1", "2")
    assert len(raw.train_labels) + len(raw.test_labels) == 30
    items = there.FakeData()
    assert sorted([*raw.train_labels, *raw.test_labels]) == sorted(int(items[i][1]) for i in range(30))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision:Flowers10", "name: torchvision has no set 'Flowers10'; did you mean 'Flowers102'"),
        ("torchvision:EMNIST", "name: torchvision:EMNIST has no parts that are called train and test"),
        ("torchvison:CIFAR10", "name: unknown library 'torchvison'; did you mean 'torchvision'"),
        ("torchvision:a b", "name: 'a b' is no name of a data set of torchvision"),
        (
            "torchvision:Flowers102",
            r"root: .*torchvision's Flowers102 is not there .*; where there is a network, run "
            r"torchvision.datasets.Flowers102\('.*', download=True\), from https?://",
        ),
        ("torchvision:SVHN", "root: .*torchvision's SVHN is not there .*, from http"),
        ("torchvision:EuroSAT", r"root: .*run torchvision.datasets.EuroSAT\('.*\), from https://.*\.zip"),
        (
            "torchvision:StanfordCars",
            r"root: .*torchvision's StanfordCars is not there .*; torchvision does not fetch it: "
            r"put there by hand what torchvision.datasets.StanfordCars describes",
        ),
        ("huggingface:beans", r"root: .* holds no folder beans; .*load_dataset\('beans'\).save_to_disk\('"),
    ],
)
def test_what_is_not_there_is_one_line_that_says_what_to_do(tmp_path: Path, name: str, message: str) -> None:
    if name.startswith("huggingface"):
        pytest.importorskip("datasets")
    with pytest.raises(DataError, match=f"^{message}") as caught:
        load_raw(Data(name=name, root=str(tmp_path)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision:EuroSAT", r"cut off\); where there is a network, run torchvision.datasets.EuroSAT"),
        ("torchvision:StanfordCars", r"The original URL is broken .*; torchvision does not fetch it"),
        (
            "huggingface:beans",
            r"where there is a network, run datasets.load_dataset\('beans'\).save_to_disk\(",
        ),
    ],
)
def test_a_download_that_fails_is_one_line_and_leaves_nothing(
    tmp_path: Path, name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.startswith("huggingface"):
        monkeypatch.setattr(pytest.importorskip("datasets").config, "HF_HUB_OFFLINE", True)
    (tmp_path / "sets/mine").mkdir(parents=True)

    def cut_off(*args: object, **kwargs: object) -> None:
        raise OSError("cut off")

    monkeypatch.setattr("urllib.request.urlopen", cut_off)
    for root in (tmp_path / "sets", tmp_path / "not/there"):
        data = Data(name=name, root=str(root), options={"download": True})
        with pytest.raises(DataError, match=message) as caught:
            load_raw(data)
        assert "\n" not in str(caught.value)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "sets",
        "sets/mine",
    ]


def test_a_library_is_checked_without_importing_it(tmp_path: Path) -> None:
    check(Data(name="torchvision:Whatever", root=str(tmp_path)))
    with pytest.raises(DataError, match=r"^root: missing; torchvision:CIFAR10 needs the folder where"):
        check(Data(name="torchvision:CIFAR10"))


def test_a_saved_set_of_hugging_face(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    kinds = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["ant", "bee"])}

    def part(count: int, first: int) -> object:
        pictures = [picture(first + i, 40) for i in range(count)]
        content = {"image": pictures, "label": [i % 2 for i in range(count)]}
        return datasets.Dataset.from_dict(content, features=datasets.Features(kinds))

    parts = {"train": part(12, 0), "validation": part(4, 50), "test": part(6, 90)}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "mine"))
    data = Data(name="huggingface:mine", root=str(tmp_path), validation=0.25)
    raw = load_raw(replace(data, fingerprint=fingerprint(data)))
    assert raw.classes == ("ant", "bee")
    assert raw.train_images.shape == (16, 40, 40, 3)
    assert np.array_equal(raw.train_images[3], np.asarray(picture(3, 40)))
    loaded = load(data, "cpu")
    assert [len(part) for part in (loaded.train, loaded.validation, loaded.test)] == [12, 4, 6]
    parts["train"].save_to_disk(str(tmp_path / "alone"))  # type: ignore[attr-defined]
    whole = load_raw(replace(data, name="huggingface:alone"))
    assert (len(whole.train_labels), len(whole.test_labels)) == (10, 2)
    assert fingerprint(replace(data, name="huggingface:alone")) != fingerprint(data)
