"""CIFAR archives: read as they are, and never run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables.config import Data
from trainables.data import DataError, fingerprint, load, load_raw


def part(data: Data, name: str = "train") -> Path:
    return Path(str(data.root)) / "cifar-100-python" / name


def rewrite(path: Path, **changes: Any) -> None:
    content = pickle.loads(path.read_bytes(), encoding="bytes")
    content.update({key.encode(): value for key, value in changes.items()})
    path.write_bytes(pickle.dumps(content, protocol=2))


def test_images_labels_and_names(cifar100: Data) -> None:
    raw = load_raw(cifar100)
    stored = pickle.loads(part(cifar100).read_bytes(), encoding="bytes")
    assert raw.train_images.shape == (40, 32, 32, 3)
    assert np.array_equal(raw.train_images[3, :, :, 1].ravel(), stored[b"data"][3, 1024:2048])
    assert raw.train_labels.tolist() == stored[b"fine_labels"]
    assert raw.classes == ("apple", "bear", "chair", "dolphin")
    assert len(raw.test_labels) == 8


def test_ready_to_train(cifar100: Data) -> None:
    loaded = load(cifar100, "cpu")
    assert (len(loaded.train), len(loaded.validation), loaded.train.views) == (32, 8, 162)


def test_as_python_2_wrote_it(cifar100: Data) -> None:
    """The published files are of Python 2: byte strings, and numpy's modules under their old names."""
    pixels = np.arange(2 * 3072, dtype=np.int64).astype(np.uint8).tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR(I1\n(I2\nI3072\nt"
        b"cnumpy\ndtype\n(U\x02u1I0\nI1\ntR(I3\nU\x01|NNNI-1\nI-1\nI0\ntbI00\nT"
        + len(pixels).to_bytes(4, "little")
        + pixels
        + b"tb"
    )
    labels = b"(lI1\naI3\na"
    part(cifar100).write_bytes(b"\x80\x02}(U\x04data" + array + b"U\x0bfine_labels" + labels + b"u.")
    raw = load_raw(cifar100)
    assert raw.train_images[1, 0, :3, 0].tolist() == [0, 1, 2]
    assert raw.train_labels.tolist() == [1, 3]


def test_a_pickle_that_would_run_code_is_refused(cifar100: Data, tmp_path: Path) -> None:
    class Doctored:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    part(cifar100).write_bytes(pickle.dumps({b"data": Doctored()}))
    with pytest.raises(DataError, match=r"^root: .*train: cannot be read \(it asks for posix.mkdir"):
        load_raw(cifar100)
    assert not (tmp_path / "ran").exists()


def test_damage_is_named(cifar100: Data) -> None:
    whole = part(cifar100).read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"text"):
        part(cifar100).write_bytes(content)
        with pytest.raises(DataError, match=r"^root: .*cifar-100-python.train: cannot be read"):
            load_raw(cifar100)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": np.zeros((40, 3071), np.uint8)}, r"its images are not \[N,3072\] uint8"),
        ({"data": np.zeros((40, 3072), np.float32)}, r"its images are not \[N,3072\] uint8"),
        ({"fine_labels": [0] * 39}, r"it has 40 images and \(39,\) labels"),
        ({"fine_labels": [4] * 40}, r"a label is outside 0\.\.3"),
    ],
)
def test_wrong_content_is_named(cifar100: Data, changes: dict[str, Any], message: str) -> None:
    rewrite(part(cifar100), **changes)
    with pytest.raises(DataError, match=rf"^root: .*train: {message}"):
        load_raw(cifar100)


def test_a_missing_file_is_named_with_the_remedy(cifar100: Data) -> None:
    part(cifar100, "meta").unlink()
    with pytest.raises(
        DataError, match=r"holds no cifar-100-python/meta; cifar100 needs .* options.download=True"
    ):
        load_raw(cifar100)


def test_the_fingerprint_is_of_the_content(cifar100: Data, tmp_path: Path) -> None:
    first = fingerprint(cifar100)
    moved = tmp_path / "moved"
    moved.mkdir()
    part(cifar100).parent.rename(moved / "cifar-100-python")
    elsewhere = Data(name="cifar100", root=str(moved))
    assert fingerprint(elsewhere) == first
    rewrite(part(elsewhere), fine_labels=[0, 1, 2, 3] * 9 + [3, 2, 1, 0])
    assert fingerprint(elsewhere) != first


def test_cifar10_is_read_from_its_five_files(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        content = {b"data": np.zeros((4, 3072), np.uint8), b"labels": [0, 1, 0, 1]}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    (folder / "batches.meta").write_bytes(
        pickle.dumps({b"label_names": [b"airplane", b"automobile"]}, protocol=2)
    )
    raw = load_raw(Data(name="cifar10", root=str(tmp_path)))
    assert (len(raw.train_labels), len(raw.test_labels)) == (20, 4)
    assert raw.classes == ("airplane", "automobile")
