"""Reads one image file as RGB, 8 bits a channel, or refuses it by name."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from PIL import Image

from trainables.data.raw import DataError
from trainables.data.readers.image_folders import shown

MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
"""Modes that become 8-bit RGB without a choice to make; an alpha channel is dropped, as torchvision does."""

_SIXTEEN_BITS = re.compile(r";16[BLNS]?\b")
"""Pattern of packings with 16 bits a channel, of which Pillow would keep the upper 8 without a word."""

_PACKED_IN_SIXTEEN = re.compile(r"BGR;1[56]")
"""Pattern of packings with 5 bits a channel, which fit."""


def read_rgb(path: Path) -> Image.Image:
    """Decode an image, whole.

    Raises:
        DataError: the file is missing, cut off or no image; has more than 8 bits a channel, or colours that
            are no RGB; or holds several pictures. The message names it.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Palette images with Transparency")
            with Image.open(path) as image:
                if (reason := unreadable(image)) is not None:
                    raise DataError(f"root: {shown(path)} {reason}")
                return image.convert("RGB")
    except DataError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        why = f"cannot be read ({' '.join(shown(error).split())})"
        raise DataError(f"root: {shown(path)} {why}; copy it again, or delete it") from error


def read_below(folder: Path, path: str) -> Image.Image:
    """Decode the image at ``path`` below ``folder`` with :func:`read_rgb`."""
    return read_rgb(folder / str(path))


def unreadable(image: Image.Image) -> str | None:
    """Return why an opened image is not read, with the remedy; None if it is.

    >>> unreadable(Image.new("CMYK", (2, 2))) is None
    True
    >>> unreadable(Image.new("F", (2, 2)))
    'has pixels of mode F, not 8 bits a channel; save it as 8-bit RGB or greyscale, scaled as it should be'
    """
    packed = str(getattr(image, "tile", ""))
    sixteen = _SIXTEEN_BITS.search(_PACKED_IN_SIXTEEN.sub("", packed)) is not None
    if image.mode not in MODES or sixteen:
        kind = f"{image.mode}{', 16 bits' if sixteen and '16' not in image.mode else ''}"
        remedy = "save it as 8-bit RGB or greyscale, scaled as it should be"
        return f"has pixels of mode {kind}, not 8 bits a channel; {remedy}"
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        return f"holds {image.n_frames} pictures; save the one that is meant"  # type: ignore[attr-defined]
    return None
