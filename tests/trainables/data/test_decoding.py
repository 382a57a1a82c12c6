"""Pixels of image files: those that Pillow gives, or the reader's own error."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.trainables.data.conftest import picture
from trainables.data import DataError
from trainables.data.decoding import jpeg_pixels, read_pixels, usual_jpeg
from trainables.data.readers.image_files import read_rgb


def encoded(mode: str = "RGB", kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture(3, 90, mode).save(buffer, kind, **options)
    return buffer.getvalue()


USUAL = {
    "baseline": encoded(),
    "progressive": encoded(progressive=True),
    "full chroma": encoded(subsampling=0),
    "grey": encoded("L"),
    "with a comment": encoded(comment=b"x" * 40_000),
}
OTHERS = {"CMYK": encoded("CMYK"), "PNG": encoded(kind="PNG"), "palette": encoded("P", "PNG")}


@pytest.mark.parametrize("name", [*USUAL, *OTHERS])
def test_pixels_are_pillows(tmp_path: Path, name: str) -> None:
    (tmp_path / "image").write_bytes((USUAL | OTHERS)[name])
    assert np.array_equal(read_pixels(tmp_path, "image"), np.asarray(read_rgb(tmp_path / "image")))
    fast = jpeg_pixels(np.fromfile(tmp_path / "image", dtype=np.uint8))
    assert (fast is not None) == (name in USUAL)


@pytest.mark.parametrize("kept", [0, 1, 30, 300, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_the_readers_error(tmp_path: Path, kept: float) -> None:
    whole = USUAL["baseline"]
    (tmp_path / "image").write_bytes(whole[: int(kept * len(whole)) if 0 < kept < 1 else int(kept)])
    with pytest.raises(DataError, match="image cannot be read"):
        read_pixels(tmp_path, "image")


def test_a_missing_file_is_the_readers_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="image cannot be read"):
        read_pixels(tmp_path, "image")


def test_more_pixels_than_pillow_takes_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usual_jpeg(USUAL["baseline"])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert not usual_jpeg(USUAL["baseline"])
