"""A set in one file: the images that were packed, whole or not at all, and found out where damaged."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainables.data.conftest import save
from trainables.config import Data
from trainables.data import Batch, DataError, check, fingerprint, load, load_raw
from trainables.data.inspection import read_every
from trainables.data.packing import Packed, pack
from trainables.data.readers.image_files import read_rgb


def packed(data: Data, out: Path, **options: Any) -> tuple[Data, Packed]:
    """The packed set, and what came of packing it."""
    done = pack(load_raw(data), data, out, **options)
    return Data(name="mapped", root=str(out), validation=data.validation), done


def joined(batches: Iterable[Batch]) -> Batch:
    return Batch(*(torch.cat(part) for part in zip(*batches, strict=True)))


@pytest.fixture
def file(imagenet: Data, tmp_path: Path) -> Data:
    return packed(imagenet, tmp_path / "set.pack")[0]


def test_labels_classes_and_splits_are_the_sets(imagenet: Data, file: Data) -> None:
    raws = load_raw(imagenet), load_raw(file)
    for name in ("train_labels", "test_labels"):
        assert np.array_equal(*(getattr(raw, name) for raw in raws))
    assert raws[0].classes == raws[1].classes
    splits = [load(data, "cpu", workers=0) for data in (imagenet, file)]
    for part in ("train", "validation", "test"):
        assert torch.equal(*(getattr(data, part).index for data in splits))


def test_images_below_the_side_are_the_same_in_every_epoch(imagenet: Data, tmp_path: Path) -> None:
    file, _ = packed(imagenet, tmp_path / "set.pack", side=1000)
    for epoch in (1, 2):
        ours, theirs = (
            joined(load(data, "cpu", workers=2).train.batches(4, epoch=epoch, seed=3))
            for data in (file, imagenet)
        )
        assert torch.equal(ours.images, theirs.images)


def test_larger_images_are_shrunk_by_pillow(imagenet: Data, tmp_path: Path) -> None:
    file, _ = packed(imagenet, tmp_path / "set.pack", side=120)
    raw = load_raw(imagenet)
    ours = load(replace(file, options={"size": 112, "resize": 120}), "cpu", workers=0).test
    shown = next(ours.batches(100, epoch=None)).images
    expected = []
    for path in raw.test_images:
        image = read_rgb(Path(str(imagenet.root)) / path).resize((120, 150), Image.Resampling.BILINEAR)
        expected.append(torch.from_numpy(np.array(image.crop((4, 19, 116, 131)))).permute(2, 0, 1))
    mean, std = (torch.tensor(part)[:, None, None] for part in (raw.mean, raw.std))
    torch.testing.assert_close(shown, (torch.stack(expected) / 255 - mean) / std)


def test_jpegs_take_less_room_and_look_alike(imagenet: Data, tmp_path: Path) -> None:
    sets = [packed(imagenet, tmp_path / f"{quality}.pack", quality=quality) for quality in (0, 95)]
    assert sets[1][1].bytes < sets[0][1].bytes / 4
    pixels, jpegs = (joined(load(data, "cpu", workers=0).test.batches(4, epoch=None)) for data, _ in sets)
    assert not torch.equal(pixels.images, jpegs.images)
    assert (pixels.images - jpegs.images).abs().mean() < 0.05
    assert not any(read_every(load_raw(sets[1][0]), sets[1][0]))


def test_small_images_of_a_file_stay_in_memory(file: Data) -> None:
    small = load(replace(file, options={"size": 32}), "cpu")
    assert small.image_size == (32, 32)
    assert small.train.views == 9 * 9 * 2


def test_what_is_held_out_stays_so(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        for label in ("ant", "bee"):
            for number in range(count):
                save(tmp_path / f"own/{part}/{label}/{number}.png", number, 240)
    own = Data(name="folder", root=str(tmp_path / "own"))
    file, _ = packed(own, tmp_path / "own.pack")
    assert np.array_equal(load_raw(own).held_out, load_raw(file).held_out)  # type: ignore[arg-type]


def test_identity_is_the_content(imagenet: Data, tmp_path: Path, file: Data) -> None:
    again, done = packed(imagenet, tmp_path / "again.pack")
    assert fingerprint(again) == fingerprint(file) == done.fingerprint
    for options in ({"side": 100}, {"quality": 90}):
        assert packed(imagenet, tmp_path / "other.pack", **options)[1].fingerprint != done.fingerprint
    path = Path(str(imagenet.root)) / "train/n02/0.JPEG"
    save(path, 77, 240)
    assert packed(imagenet, tmp_path / "other.pack")[1].fingerprint != done.fingerprint


def test_interrupted_packing_leaves_nothing_and_replaces_nothing(imagenet: Data, tmp_path: Path) -> None:
    out = tmp_path / "out" / "set.pack"
    out.parent.mkdir()
    out.write_bytes(b"what was there")

    def interrupt(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        packed(imagenet, out, progress=interrupt)
    assert [path.name for path in out.parent.iterdir()] == ["set.pack"]
    assert out.read_bytes() == b"what was there"


def test_what_a_killed_process_left_is_no_set_and_is_taken_over(imagenet: Data, tmp_path: Path) -> None:
    whole, done = packed(imagenet, tmp_path / "whole.pack")
    content = Path(str(whole.root)).read_bytes()
    left = tmp_path / "set.pack.partial"
    left.write_bytes(bytes(48) + content[48:-100] * 2)
    with pytest.raises(DataError, match=r"set.pack.partial is no file of .*, or was not finished"):
        load_raw(replace(whole, root=str(left)))
    assert packed(imagenet, tmp_path / "set.pack")[1] == done
    assert not left.exists()


def test_two_processes_do_not_pack_into_one_file(imagenet: Data, tmp_path: Path) -> None:
    out = tmp_path / "set.pack"

    def second(done: int, total: int) -> None:
        if done == 1:
            with pytest.raises(DataError, match="another process is writing"):
                packed(imagenet, out)

    file, _ = packed(imagenet, out, progress=second)
    assert len(load_raw(file).train_labels) == 12


@pytest.mark.parametrize("ends", ["whole", "interrupted"])
def test_a_set_that_is_finished_while_another_process_opens_it_stays(
    imagenet: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """The first process ends between the moment the second opens the file and the one it locks it."""
    out = tmp_path / "set.pack"
    before, _ = packed(imagenet, tmp_path / "before.pack")
    content = Path(str(before.root)).read_bytes()
    lock, ended = fcntl.flock, False

    def first_ends(file: Any, operation: int) -> None:
        nonlocal ended
        if not ended:
            ended = True
            partial = out.with_name("set.pack.partial")
            partial.write_bytes(content)
            partial.rename(out) if ends == "whole" else partial.unlink()
        lock(file, operation)

    def interrupt(done: int, total: int) -> None:
        if ends == "whole":
            assert out.read_bytes() == content
        raise KeyboardInterrupt

    monkeypatch.setattr(fcntl, "flock", first_ends)
    with pytest.raises(KeyboardInterrupt):
        packed(imagenet, out, progress=interrupt)
    assert not out.with_name("set.pack.partial").exists()
    assert ended
    packed(imagenet, out)
    assert out.read_bytes() == content


def test_a_partial_file_that_somebody_deletes_hides_no_other_fault(imagenet: Data, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        (tmp_path / "set.pack.partial").unlink()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        packed(imagenet, tmp_path / "set.pack", progress=interrupt)


@pytest.mark.parametrize(("at", "told"), [(0, "is no file"), (60_000, "image 0"), (-50, "its index")])
def test_damage_is_told(file: Data, at: int, told: str) -> None:
    path = Path(str(file.root))
    content = bytearray(path.read_bytes())
    content[at] ^= 255
    path.write_bytes(content)
    if told == "image 0":
        faults = [str(fault) for fault in read_every(load_raw(file), file) if fault]
        assert len(faults) == 1
    else:
        with pytest.raises(DataError) as caught:
            load_raw(file)
        faults = [str(caught.value)]
    assert told in faults[0]
    assert faults[0].startswith(f"root: {path}")


def test_a_file_that_is_cut_off_is_told(file: Data) -> None:
    path = Path(str(file.root))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match="its index is damaged"):
        load_raw(file)


def test_sets_in_memory_are_not_packed(tiny_imagenet: Data, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="name: tiny_imagenet is kept in memory, shown at 64 pixels"):
        packed(tiny_imagenet, tmp_path / "set.pack")
    assert not list(tmp_path.glob("*.pack*"))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="mapped needs a file that `sdd-study pack` wrote"):
        check(Data(name="mapped", root=str(tmp_path)))
