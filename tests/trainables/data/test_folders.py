"""Listing and hashing folders of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainables.data.conftest import save
from trainables.data import DataError
from trainables.data.readers import image_folders as folders


def test_images_are_listed_by_name_and_other_files_left_out(tmp_path: Path) -> None:
    for name in ("b.JPEG", "a.png", "c.txt"):
        (tmp_path / "one").mkdir(exist_ok=True)
        (tmp_path / "one" / name).write_bytes(b"x")
    save(tmp_path / "two/d.jpg", 0, 8)
    paths, labels = folders.images_of_classes(tmp_path, ["one", "two"])
    assert paths.tolist() == ["one/a.png", "one/b.JPEG", "two/d.jpg"]
    assert labels.tolist() == [0, 0, 1]


def test_an_empty_folder_or_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with pytest.raises(DataError, match=r"^root: .*one holds no images"):
        folders.images_of_classes(tmp_path, ["one"])
    with pytest.raises(DataError, match=r"^root: .*two is missing"):
        folders.images_of_classes(tmp_path, ["two"])
    (tmp_path / "one/a.jpg").touch()
    with pytest.raises(DataError, match=r"^root: .*a\.jpg is empty"):
        folders.images_of_classes(tmp_path, ["one"])
    with pytest.raises(DataError, match="holds 1 class folders"):
        folders.class_folders(tmp_path, ".")


def test_the_fingerprint_is_of_paths_sizes_and_texts(tmp_path: Path) -> None:
    hashes = []
    for place in ("here", "there"):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "image.png")
        (tmp_path / place / "one").mkdir(parents=True)
        (tmp_path / "image.png").rename(tmp_path / place / "one/image.png")
        (tmp_path / place / "list.txt").write_text("1\n")
        hashes.append(folders.fingerprint(tmp_path / place, ["one"], ["list.txt"]))
    assert hashes[0] == hashes[1]
    (tmp_path / "there/list.txt").write_text("2\n")
    assert folders.fingerprint(tmp_path / "there", ["one"], ["list.txt"]) != hashes[0]
    (tmp_path / "here/one/image.png").rename(tmp_path / "here/one/other.png")
    assert folders.fingerprint(tmp_path / "here", ["one"], ["list.txt"]) != hashes[0]
