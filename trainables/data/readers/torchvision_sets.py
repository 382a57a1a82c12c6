"""Reads any classification set of torchvision: ``Data(name="torchvision:Flowers102", root=...)``.

``root`` is the folder torchvision keeps it in; ``options={"download": True}`` lets torchvision fetch it. The
parts are those of torchvision: ``trainval``, or ``train`` with the validation part held out, and ``test``. A
set in one piece, such as EuroSAT, is split by a seed. An image that lies in a file of its own is read by
:mod:`image_files`, so that it is read right or refused, as in a folder of one's own.
"""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.config.data import Data
from trainables.data.images import ReadImage
from trainables.data.raw import DataError, RawData
from trainables.data.readers import library_sets as library
from trainables.data.readers.image_files import read_rgb
from trainables.data.registry import options, root
from trainables.errors import one_line, suggestion

LABELS = ("targets", "labels", "_labels", "y")
PATHS = ("_image_files", "_images", "images", "_samples", "samples", "imgs")
"""Attributes in which torchvision's sets keep labels, and paths or (path, label)."""

VALIDATION = ("val", "valid")
"""Names that torchvision has for the validation part."""


def read(data: Data) -> RawData:
    """Return the images of all parts, decoded if they are shown small."""
    sets = _sets(data)
    parts = _parts(data, sets)
    count = 1 + max(int(part.labels.max()) for part in parts.values())
    known = next(iter(sets.values()))
    names = getattr(known, "classes", None) or getattr(known, "categories", None) or ()
    named = [name if isinstance(name, str) else ", ".join(map(str, name)) for name in names]
    classes = named if len(named) >= count else map(str, range(count))
    return library.raw_of_parts(data, parts, tuple(classes))


def fingerprint(data: Data) -> str:
    """Return a hash of the labels with the pixels, or with paths and sizes where images lie in files."""
    return library.fingerprint_of(_parts(data, _sets(data)))


def opened(data: Data) -> ReadImage:
    """Return the function that reads an image by its number."""
    return library.image_of(_parts(data, _sets(data)))


def _sets(data: Data) -> dict[str, Any]:
    """Return torchvision's own data sets, by role."""
    kind = _kind(data.name)
    known = inspect.signature(kind).parameters
    needed = [
        name
        for name, parameter in known.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and name not in ("root", "split", "train")
    ]
    if needed or {"split", "train"} <= set(known):
        more = needed[0] if needed else "split"
        raise DataError(f"name: {data.name} cannot be read: it wants a '{more}', which has no place here")
    if "train" in known:
        return {library.TRAIN: _made(data, kind, train=True), library.TEST: _made(data, kind, train=False)}
    if "split" not in known:
        return {library.WHOLE: _made(data, kind)}
    return _split_sets(data, kind)


def _split_sets(data: Data, kind: Any) -> dict[str, Any]:
    """Return torchvision's data sets, by role, of a set whose parts have names."""
    test = _first(data, kind, ("test",))
    both = _first(data, kind, ("trainval",)) if test is not None else None
    train = both if both is not None else _first(data, kind, ("train",))
    validation = _first(data, kind, VALIDATION) if both is None else None
    if train is None or (test is None and validation is None):
        raise DataError(f"name: {data.name} has no parts that are called train and test")
    if test is None:
        return {library.TRAIN: train, library.TEST: validation}
    held = {} if validation is None else {library.VALIDATION: validation}
    return {library.TRAIN: train, **held, library.TEST: test}


def _first(data: Data, kind: Any, splits: tuple[str, ...]) -> Any:
    """Return the part of the first of these names that there is."""
    for split in splits:
        try:
            return _made(data, kind, split=split)
        except ValueError as error:
            if isinstance(error, DataError):
                raise
    return None


def _kind(name: str) -> Any:
    """Return torchvision's class of that name."""
    from torchvision import datasets

    entry = name.partition(":")[2]
    classes = {known: getattr(datasets, known) for known in datasets.__all__}
    sets = {known: kind for known, kind in classes.items() if inspect.isclass(kind) and _has_images(kind)}
    if entry not in sets:
        raise DataError(f"name: torchvision has no set '{entry}'; {suggestion(entry, sets)}")
    return sets[entry]


def _has_images(kind: Any) -> bool:
    from torchvision.datasets import DatasetFolder, ImageFolder, VisionDataset

    return issubclass(kind, VisionDataset) and kind not in (VisionDataset, DatasetFolder, ImageFolder)


def _made(data: Data, kind: Any, **which: Any) -> Any:
    known = inspect.signature(kind).parameters
    download = bool(options(data)["download"])
    given = {"root": str(root(data)), "download": download}
    given = {**{name: value for name, value in given.items() if name in known}, **which}
    try:
        with library.no_empty_folders(root(data)):
            return kind(**given)
    except Exception as error:  # missing files, no network, a package that it needs: of many types
        if isinstance(error, ValueError) and "argument split" in str(error):  # a part it does not have
            raise
        where = f"{root(data)}: torchvision's {kind.__name__} is not there ({one_line(error, part='first')})"
        raise DataError(f"root: {where}; {_remedy(kind, root(data))}") from None


def _remedy(kind: Any, place: Path) -> str:
    """Return what to do about a set that is not there; some, as StanfordCars, torchvision does not fetch."""
    name = f"torchvision.datasets.{kind.__name__}"
    if "download_" not in _download(kind):
        return f"torchvision does not fetch it: put there by hand what {name} describes"
    source = ", ".join(_addresses(kind))
    run = f"where there is a network, run {name}({place.as_posix()!r}, download=True)"
    return f"{run}, from {source}" if source else run


def _download(kind: Any) -> str:
    """Return the text of the method by which a set is fetched; empty where it has none."""
    return inspect.getsource(kind.download) if hasattr(kind, "download") else ""


def _addresses(kind: Any, most: int = 2) -> list[str]:
    """Return addresses that torchvision fetches a set from: those of its class, or in its ``download``."""
    found: list[str] = []

    def look(value: Any) -> None:
        if isinstance(value, str) and value.startswith("http"):
            found.append(value)
        elif isinstance(value, dict):
            look(list(value.values()))
        elif isinstance(value, (list, tuple)):
            for item in value:
                look(item)

    look([value for name, value in vars(kind).items() if not name.startswith("__")])
    found = found or re.findall(r"[\"'](https?://[^\s\"'{}]+)[\"']", _download(kind))
    return list(dict.fromkeys(found))[:most]


def _parts(data: Data, sets: dict[str, Any]) -> library.Parts:
    return {role: _part(data, role, one) for role, one in sets.items()}


def _part(data: Data, role: str, one: Any) -> library.LibraryPart:
    what = f"{data.name}, {role} image"
    paths = _paths(one)

    def image(number: int) -> Image.Image:
        if paths is not None:
            return read_rgb(paths[number])
        return library.as_rgb(lambda: one[number][0], f"{what} {number}")

    return library.LibraryPart(_labels(data.name, one), image, _content(one, paths, root(data)))


def _labels(name: str, one: Any) -> NDArray[np.int64]:
    """Return labels as the set keeps them where that is what its items say, else those of all items."""
    kept = [getattr(one, attribute, None) for attribute in LABELS]
    kept += [_seconds(getattr(one, attribute, None)) for attribute in PATHS]
    rows = sorted({0, len(one) // 2, len(one) - 1})
    said = [one[row][1] for row in rows]
    for labels in kept:
        try:
            if labels is not None and len(labels) == len(one) and [labels[row] for row in rows] == said:
                return library.numbered(labels, name)
        except (TypeError, KeyError, DataError):
            continue
    return library.numbered([one[row][1] for row in range(len(one))], name)


def _seconds(pairs: Any) -> list[Any] | None:
    usable = isinstance(pairs, list) and pairs and isinstance(pairs[0], tuple) and len(pairs[0]) == 2
    return [second for _, second in pairs] if usable else None


def _paths(one: Any) -> list[Path] | None:
    """Return the images' files, where the set keeps them and its items are these files' pictures."""
    for attribute in PATHS:
        kept = getattr(one, attribute, None)
        if not isinstance(kept, list) or len(kept) != len(one):
            continue
        firsts = [item[0] if isinstance(item, tuple) else item for item in kept]
        if not all(isinstance(item, (str, Path)) for item in firsts) or not Path(firsts[0]).is_file():
            continue
        if _shows(one, Path(firsts[0])):
            return [Path(item) for item in firsts]
    return None


def _shows(one: Any, first: Path) -> bool:
    """Tell whether the first item is the picture in the file; a refused one is, and says so when read."""
    try:
        return np.array_equal(np.asarray(read_rgb(first)), np.asarray(one[0][0].convert("RGB")))
    except DataError:
        return True


def _content(one: Any, paths: list[Path] | None, place: Path) -> bytes:
    """Return what stands for the images: their arrays, or paths and sizes, or a sample of them."""
    if paths is not None:
        lines = [f"{os.path.relpath(path, place)}\0{path.stat().st_size}" for path in paths]
        return os.fsencode("\n".join(lines))
    kept = getattr(one, "data", None)
    if kept is not None and len(kept) == len(one) and not isinstance(kept, list):
        return bytes(np.ascontiguousarray(np.asarray(kept)).tobytes())
    rows = np.unique(np.linspace(0, len(one) - 1, min(library.PROBES, len(one))).astype(int))
    return b"".join(np.asarray(one[int(row)][0]).tobytes() for row in rows)
