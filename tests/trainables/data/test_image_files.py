"""One image file: every kind that is read, and why others are not."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from tests.trainables.data.conftest import picture, save
from trainables.data import DataError
from trainables.data.readers.image_files import MODES, read_rgb, unreadable


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_every_kind_of_image_is_read_as_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    picture(0, 16).convert(mode).save(path)
    image = read_rgb(path)
    assert (image.mode, image.size) == ("RGB", (16, 16))


def test_a_corrupted_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bird.jpg"
    save(path, 0, 64)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"text"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"^root: .*bird\.jpg cannot be read"):
            read_rgb(path)
    with pytest.raises(DataError, match=r"^root: .*none\.jpg cannot be read"):
        read_rgb(tmp_path / "none.jpg")


def sixteen_bit_png(path: Path, colour_type: int, values: list[int]) -> None:
    """A row of pixels of 16 bits a channel; Pillow writes greyscale ones alone."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    header = struct.pack(">IIBBBBB", len(values) // channels, 1, 16, colour_type, 0, 0, 0)
    row = b"\0" + b"".join(struct.pack(">H", value) for value in values)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


@pytest.mark.parametrize("colour_type", [0, 2, 4, 6])
def test_sixteen_bits_a_channel_are_refused_whatever_the_colours(tmp_path: Path, colour_type: int) -> None:
    path = tmp_path / "cells.png"
    sixteen_bit_png(path, colour_type, [4095] * 12)
    with pytest.raises(
        DataError, match=r"cells\.png has pixels of mode .*16.*, not 8 bits .*; save it as 8-bit"
    ):
        read_rgb(path)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "webp", "jpg"])
def test_eight_bits_are_read_from_every_kind_of_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bird.{suffix}"
    picture(0, 16).save(path)
    assert read_rgb(path).mode == "RGB"


def test_every_mode_of_pillows_is_read_right_or_refused() -> None:
    """In a mode that is read, white is white and black is black."""
    modes = set(Image._MODE_CONV) if hasattr(Image, "_MODE_CONV") else set()
    modes |= {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
    modes |= {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
    for mode in sorted(modes):
        for level in (0, 255):
            plain = Image.new("RGB", (2, 2), (level, level, level))
            image = plain.convert(mode) if mode in MODES - {"PA"} else Image.new(mode, (2, 2))
            if mode in MODES - {"PA"}:
                assert unreadable(image) is None
                assert np.ptp(np.abs(np.asarray(image.convert("RGB")).astype(int) - level)) <= 1, mode
            elif mode not in MODES:
                assert "save it as 8-bit" in str(unreadable(image))


def test_several_pictures_in_one_file_are_refused(tmp_path: Path) -> None:
    kinds = ["tif", "png", *(["webp"] if features.check("webp") else [])]
    for kind in kinds:
        path = tmp_path / f"film.{kind}"
        picture(0, 16).save(path, save_all=True, append_images=[picture(1, 16)])
        with pytest.raises(DataError, match=rf"film\.{kind} holds 2 pictures; save the one"):
            read_rgb(path)


def test_a_photograph_with_a_preview_in_it_is_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    picture(0, 64).save(path, "MPO", save_all=True, append_images=[picture(0, 16)])
    assert read_rgb(path).size == (64, 64)


def test_a_sixteen_bit_bitmap_has_five_bits_a_channel() -> None:
    image = picture(0, 4)
    image.tile = [("raw", (0, 0, 4, 4), 0, ("BGR;16", 0, 1))]  # type: ignore[attr-defined]
    assert unreadable(image) is None
