"""Holds what a reader hands over: a data set read and checked, in plain numpy, neither split nor augmented.

Imports neither torch nor numpy, so that a configuration can be checked in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from trainables.config.serialization import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    Images = TypeVar("Images", NDArray[np.uint8], torch.Tensor)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class DataError(ConfigError):
    """Says why a data set cannot be used as configured; begins with the field of ``Data`` to change.

    >>> from trainables.config.data import Data
    >>> from trainables.data.registry import check
    >>> check(Data(name="cifar10O"))
    Traceback (most recent call last):
    ...
    trainables.data.raw.DataError: name: unknown data set 'cifar10O'; did you mean 'cifar10'?
    """


@dataclass(frozen=True, slots=True)
class CropFlipViews:
    """Describes the augmentation of a resident set: a crop of the zero-padded image, and a flip.

    There are finitely many, so that each view can be named by a number.

    A view's id is ``offset`` without flips and ``2 * offset + flip`` with them, where ``offset`` is
    ``top * side + left`` in the padded image, which has ``side`` places a side for the crop.

    >>> views = CropFlipViews(padding=4, flip=True)
    >>> views.side, views.count, views.plain
    (9, 162, 80)
    >>> CropFlipViews(padding=0, flip=True, cut=32).count  # 224 x 224 out of 256 x 256
    2178

    Attributes:
        padding: pixels of zeros on each side before the crop; 0 for no crop.
        flip: whether images are mirrored.
        reach: most pixels, and half a one, that a crop moves each way; None where all views are as likely.
        flipped: share of the images that are mirrored, where there is a ``reach``.
        cut: pixels by which each side of the crop is shorter than the image's, an even number.
    """

    padding: int
    flip: bool
    reach: float | None = None
    flipped: float = 0.5
    cut: int = 0

    def at_strength(self, strength: float) -> CropFlipViews:
        """Return the augmentation whose crops move ``strength`` times as far.

        Below 1 the views are the same, so that what a teacher said of them serves all strengths.

        >>> CropFlipViews(padding=4, flip=True).at_strength(0.5)
        CropFlipViews(padding=4, flip=True, reach=2.25, flipped=0.25, cut=0)
        >>> CropFlipViews(padding=4, flip=True).at_strength(2).padding
        9
        """
        if strength == 1:
            return self
        reach = strength * self.side / 2 if self.side > 1 else 0.0
        padding = max(self.padding, -int((0.5 - reach) // 1) - self.cut // 2)
        return CropFlipViews(padding, self.flip, reach, min(strength, 1.0) / 2, self.cut)

    @property
    def side(self) -> int:
        """Number of places for the crop along a side."""
        return 2 * self.padding + self.cut + 1

    @property
    def count(self) -> int:
        """Number of different views of one image."""
        return self.side**2 * (2 if self.flip else 1)

    @property
    def plain(self) -> int:
        """Id of the view in the centre, unmirrored: the image itself where nothing is cut."""
        return (self.side // 2) * (self.side + 1) * (2 if self.flip else 1)

    def shown_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of what networks see of images of ``height`` x ``width``."""
        return height - self.cut, width - self.cut

    def centred(self, images: Images) -> Images:
        """Return of ``images`` [N,H,W,3] what the plain view shows, in their memory; all of it if uncut."""
        first, (height, width) = self.cut // 2, self.shown_size(*images.shape[1:3])
        return images[:, first : first + height, first : first + width]


@dataclass(frozen=True, slots=True)
class StreamedViews:
    """Describes the augmentation of a set that is read from its files in each epoch; views are not counted.

    >>> StreamedViews()
    StreamedViews(size=224, resize=256)

    Attributes:
        size: pixels of a side of what the network sees; trained on ``RandomResizedCrop`` and a flip.
        resize: pixels of the shorter side before the centre crop of evaluation.
    """

    size: int = 224
    resize: int = 256


def check_strength(augmentation: CropFlipViews | StreamedViews, strength: float) -> None:
    """Raise :class:`DataError` where ``augmentation`` cannot be that strong, or is nothing to strengthen.

    >>> check_strength(StreamedViews(), 1.5)
    Traceback (most recent call last):
    ...
    trainables.data.raw.DataError: augment_strength: 1.5 is above 1, the most for images read from files
    """
    if isinstance(augmentation, StreamedViews) and strength > 1:
        raise DataError(f"augment_strength: {strength:g} is above 1, the most for images read from files")
    if isinstance(augmentation, CropFlipViews) and augmentation.count == 1 and strength != 1:
        raise DataError(
            f"augment_strength: {strength:g} means nothing, these data are neither cropped nor flipped"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawData:
    """Holds a whole data set. Cheap to pickle and to share: its arrays are read, never written.

    >>> import numpy as np
    >>> images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 0, 1, 1])
    >>> raw = RawData(
    ...     train_images=images, train_labels=labels, test_images=images, test_labels=labels,
    ...     classes=("cat", "dog"), mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2),
    ...     augmentation=CropFlipViews(padding=1, flip=True),
    ... )
    >>> raw.held_out is None, raw.augmentation.count
    (True, 18)

    Attributes:
        train_images, test_images: [N,H,W,3] uint8; for a streamed set [N] keys by which
            its images are read: paths below the root, or numbers.
        train_labels, test_labels: [N] int64, positions in ``classes``.
        classes: names of the classes.
        mean, std: of each channel, for pixels in [0, 1].
        augmentation: what ``augment='standard'`` does.
        remarks: lines for the user about the files, such as how many of them are no images.
        held_out: [N] bool, the training images that are the validation part, where the set itself says so;
            None where ``splits`` draws them.
    """

    train_images: NDArray[Any]
    train_labels: NDArray[np.int64]
    test_images: NDArray[Any]
    test_labels: NDArray[np.int64]
    classes: tuple[str, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    augmentation: CropFlipViews | StreamedViews
    held_out: NDArray[np.bool_] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def shown_size(self) -> tuple[int, int]:
        """Height and width of what networks see, pixels."""
        shown = self.augmentation
        if isinstance(shown, StreamedViews):
            return shown.size, shown.size
        height, width = self.train_images.shape[1:3]
        return shown.shown_size(height, width)
