"""Lists the data sets that there are and what each needs, and checks a ``Data`` against that.

Nothing here opens a data file or imports torch or numpy: a check takes milliseconds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trainables.config.data import Data
from trainables.config.serialization import Scalar
from trainables.config.trial import LargeImages
from trainables.data.raw import DataError
from trainables.errors import suggestion

DATA_VARIABLE = "SDD_DATA"
"""Environment variable: the folder where relative roots start, if it is not the working directory."""


@dataclass(frozen=True, slots=True)
class DataOption:
    """Describes one of ``Data.options``: its default, whose type it has, and its range (inclusive).

    >>> source("cluttered_digits").options["distractors"]
    DataOption(default=3, low=0, high=8)
    """

    default: Scalar
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """Describes a data set that can be named.

    >>> source("cifar100").layout
    ('cifar-100-python/train', 'cifar-100-python/test', 'cifar-100-python/meta')

    Attributes:
        module: reader in ``trainables.data``, with ``read(data)`` and ``fingerprint(data)``.
        holds: what ``root`` has to be, for messages; None if the set is generated.
        layout: paths that have to exist below ``root``; empty if ``root`` is the file itself.
        num_classes: number of classes, if fixed.
        large_images: what networks for small images are made for its images (``TrialConfig.large_images``).
        options: what ``Data.options`` may hold.
    """

    module: str
    holds: str | None = None
    layout: tuple[str, ...] = ()
    num_classes: int | None = None
    large_images: LargeImages = "pooled"
    options: Mapping[str, DataOption] = field(default_factory=dict)


_DOWNLOAD = {"download": DataOption(False)}
_SIZED = {
    "size": DataOption(0, 0, 1024),
    "resize": DataOption(0, 0, 2048),
    "padding": DataOption(-1, -1, 64),
    "flip": DataOption(True),
    "test": DataOption(0.2, 0.0, 1.0),
    "seed": DataOption(0, 0),
}
_SHOWN = {name: _SIZED[name] for name in ("size", "resize", "padding", "flip")}
_CUB_LAYOUT = ("images.txt", "train_test_split.txt", "image_class_labels.txt", "classes.txt", "images")

SOURCES: Mapping[str, DataSource] = {
    "cifar10": DataSource(
        module="cifar100",
        holds="the folder with cifar-10-batches-py/ in it, from cifar-10-python.tar.gz",
        layout=("cifar-10-batches-py/test_batch",),
        num_classes=10,
        options=_DOWNLOAD,
    ),
    "cifar100": DataSource(
        module="cifar100",
        holds="the folder with cifar-100-python/ in it, from cifar-100-python.tar.gz",
        layout=("cifar-100-python/train", "cifar-100-python/test", "cifar-100-python/meta"),
        num_classes=100,
        options=_DOWNLOAD,
    ),
    "cub200": DataSource(
        module="cub200",
        holds="the folder CUB_200_2011/, from CUB_200_2011.tgz",
        layout=_CUB_LAYOUT,
        large_images="released",
    ),
    "imagenet": DataSource(
        module="imagenet",
        holds="the folder with train/<wnid>/ and val/<wnid>/ in it",
        layout=("train", "val"),
    ),
    "tiny_imagenet": DataSource(
        module="tiny_imagenet",
        holds="the folder tiny-imagenet-200/, from tiny-imagenet-200.zip",
        layout=("wnids.txt", "train", "val/images", "val/val_annotations.txt"),
    ),
    "folder": DataSource(
        module="folder",
        holds="a folder with train/<class>/ and val/<class>/ or test/<class>/ in it, or with <class>/ alone",
        layout=(".",),
        options=_SIZED,
    ),
    "packed": DataSource(
        module="packed",
        holds="an .npz file with train_images, train_labels, test_images, test_labels and classes",
        options={"padding": DataOption(4, 0, 64), "flip": DataOption(True)},
    ),
    "mapped": DataSource(module="mapped", holds="a file that `sdd-study pack` wrote", options=_SHOWN),
    "cluttered_digits": DataSource(
        module="cluttered_digits",
        num_classes=10,
        options={
            "scenes": DataOption(2000, 100, 200_000),
            "test": DataOption(1000, 100, 200_000),
            "distractors": DataOption(3, 0, 8),
            "size": DataOption(32, 16, 64),
            "seed": DataOption(0, 0),
        },
    ),
}


LIBRARIES: Mapping[str, DataSource] = {
    "torchvision": DataSource(
        module="torchvision_sets",
        holds="the folder where torchvision keeps its files, as torchvision.datasets.NAME(root) has it",
        layout=(".",),
        options=_SIZED | _DOWNLOAD,
    ),
    "huggingface": DataSource(
        module="huggingface_sets",
        holds="a folder in which save_to_disk left the set under its name",
        layout=(".",),
        options=_SIZED | _DOWNLOAD,
    ),
}
"""Sets that another library knows by name, as in ``torchvision:Flowers102``."""

_ENTRY = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?")


def names() -> tuple[str, ...]:
    """Return the names of all data sets, without those of other libraries."""
    return tuple(sorted(SOURCES))


def source(name: str) -> DataSource:
    """Return the data set of that name; raises :class:`DataError` for an unknown one.

    Of ``LIBRARY:NAME`` the library is looked up here; whether it knows the name is seen when the set is read.
    """
    library, colon, entry = name.partition(":")
    if colon and library not in LIBRARIES:
        raise DataError(f"name: unknown library '{library}'; {suggestion(library, LIBRARIES)}")
    if colon:
        if not _ENTRY.fullmatch(entry):
            raise DataError(f"name: '{entry}' is no name of a data set of {library}")
        return LIBRARIES[library]
    if name not in SOURCES:
        raise DataError(f"name: unknown data set '{name}'; {suggestion(name, SOURCES)}")
    return SOURCES[name]


def options(data: Data) -> dict[str, Scalar]:
    """Return the options of ``data``, defaults filled in, checked for name, type and range."""
    known = source(data.name).options
    for name in data.options:
        if name not in known:
            hint = suggestion(name, known) if known else f"{data.name} has none, leave it out"
            raise DataError(f"options.{name}: unknown option; {hint}")
    return {
        name: _checked(name, data.options.get(name, option.default), option) for name, option in known.items()
    }


def _checked(name: str, value: Scalar, option: DataOption) -> Scalar:
    if isinstance(option.default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(option.default):
        kinds = {bool: "True or False", int: "a whole number", float: "a number"}
        kind = kinds.get(type(option.default), "a text")
        raise DataError(f"options.{name}: {value!r} is not {kind}")
    if option.low is not None and value < option.low:  # type: ignore[operator]
        raise DataError(f"options.{name}: {value} is below {option.low}, the least")
    if option.high is not None and value > option.high:  # type: ignore[operator]
        raise DataError(f"options.{name}: {value} is above {option.high}, the most")
    return value


def root(data: Data) -> Path:
    """Return where the data set lies; raises :class:`DataError` if ``data`` does not say so."""
    if data.root is None:
        raise DataError(f"root: missing; {data.name} needs {source(data.name).holds}")
    try:
        if "\0" in data.root:
            raise ValueError("a zero byte")
        place = Path(os.path.expanduser(os.environ.get(DATA_VARIABLE, "")), os.path.expanduser(data.root))
        place.exists()
    except (OSError, ValueError) as error:  # a name too long, a zero byte
        raise DataError(f"root: {data.root[:80]!r} is no usable path ({error})") from None
    return place


def check(data: Data) -> None:
    """Raise :class:`DataError` if ``data`` names no usable data set; files are looked for, not read."""
    known = source(data.name)
    chosen = options(data)
    if data.split_seed < 0:
        raise DataError(f"split_seed: {data.split_seed} is below 0")
    if known.num_classes is not None:
        check_classes(data, known.num_classes)
    if known.holds is None:
        if data.root is not None:
            raise DataError(f"root: {data.name} is generated; leave it out")
    elif not chosen.get("download"):
        check_files(data)
    else:
        root(data)


def check_files(data: Data) -> None:
    """Raise :class:`DataError` unless ``root`` exists and looks like the data set."""
    known, place = source(data.name), root(data)
    remedy = f"{data.name} needs {known.holds}"
    if "download" in known.options:
        remedy += ", or options.download=True"
    if not place.exists():
        raise DataError(f"root: {place} does not exist; {remedy}")
    if place.is_dir() != bool(known.layout):
        raise DataError(f"root: {place} is a {'folder' if place.is_dir() else 'file'}; {remedy}")
    for path in known.layout:
        if not (place / path).exists():
            raise DataError(f"root: {place} holds no {path}; {remedy}")


def check_classes(data: Data, num_classes: int) -> None:
    """Raise :class:`DataError` unless the data set has the classes that ``data.classes`` asks for."""
    if isinstance(data.classes, int) and data.classes > num_classes:
        raise DataError(f"classes: asks for {data.classes}, {data.name} has {num_classes}")
    for index in data.classes if isinstance(data.classes, tuple) else ():
        if not 0 <= index < num_classes:
            raise DataError(f"classes: index {index} is outside 0..{num_classes - 1} of {data.name}")
