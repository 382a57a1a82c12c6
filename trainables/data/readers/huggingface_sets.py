"""Reads sets of Hugging Face's ``datasets``, to be installed: ``Data(name="huggingface:NAME", root=...)``.

``root/NAME`` is a folder that ``save_to_disk`` wrote. With ``options={"download": True}`` the set is fetched
by its name where it is not there, into ``root``. It has one column of images and one of class labels.
"""

from __future__ import annotations

import hashlib
from typing import Any

from PIL import Image

from trainables.config.data import Data
from trainables.data.images import ReadImage
from trainables.data.raw import DataError, RawData
from trainables.data.readers import library_sets as library
from trainables.data.registry import options, root
from trainables.errors import one_line

ROLES = {
    "train": library.TRAIN,
    "validation": library.VALIDATION,
    "valid": library.VALIDATION,
    "val": library.VALIDATION,
    "test": library.TEST,
}
LABELS = ("label", "labels", "fine_label")
"""Columns that are taken for the label, in this order, where several hold classes."""


def read(data: Data) -> RawData:
    """Return the images of all parts, decoded if they are shown small."""
    sets = _sets(data)
    _, label = _columns(data, next(iter(sets.values())))
    names = next(iter(sets.values())).features[label].names
    return library.raw_of_parts(data, _parts(data, sets), tuple(map(str, names)))


def fingerprint(data: Data) -> str:
    """Return a hash of the labels and of the images' files."""
    return library.fingerprint_of(_parts(data, _sets(data)))


def opened(data: Data) -> ReadImage:
    """Return the function that reads an image by its number."""
    return library.image_of(_parts(data, _sets(data)))


def _sets(data: Data) -> dict[str, Any]:
    """Return the parts by role, as ``datasets`` has them."""
    try:
        import datasets
    except ImportError:
        needs = "needs Hugging Face's datasets: pip install 'sdd-study[huggingface]'"
        raise DataError(f"name: {data.name} {needs}") from None
    name, place = data.name.partition(":")[2], root(data)
    fetch = f"datasets.load_dataset({name!r}).save_to_disk({str(place / name)!r})"
    try:
        if (place / name).is_dir():
            found: Any = datasets.load_from_disk(str(place / name))
        elif options(data)["download"]:
            with library.no_empty_folders(place):
                found = datasets.load_dataset(name, cache_dir=str(place))
        else:
            raise DataError(
                f"root: {place} holds no folder {name}; where there is a network, run {fetch}, or set "
                "options.download=True"
            )
    except DataError:
        raise
    except Exception as error:  # no network, no such set, a damaged folder: of many types
        raise DataError(
            f"root: {data.name} cannot be opened in {place} ({one_line(error, part='first')}); "
            f"where there is a network, run {fetch}"
        ) from None
    if not isinstance(found, dict):
        return {library.WHOLE: found}
    roles = {ROLES[split]: part for split, part in found.items() if split in ROLES}
    if set(roles) == {library.TRAIN}:
        return {library.WHOLE: roles[library.TRAIN]}
    if library.TEST not in roles and library.VALIDATION in roles:
        roles[library.TEST] = roles.pop(library.VALIDATION)
    if not {library.TRAIN, library.TEST} <= set(roles):
        raise DataError(f"name: {data.name} has the parts {', '.join(found)}, not train and test")
    order = (library.TRAIN, library.VALIDATION, library.TEST)
    return {role: roles[role] for role in order if role in roles}


def _columns(data: Data, part: Any) -> tuple[str, str]:
    """Return the names of the image's and of the label's column."""
    import datasets

    images = [name for name, kind in part.features.items() if isinstance(kind, datasets.Image)]
    labels = [name for name, kind in part.features.items() if isinstance(kind, datasets.ClassLabel)]
    label = next((name for name in LABELS if name in labels), labels[0] if labels else None)
    if not images or label is None:
        raise DataError(f"name: {data.name} has no column of images, or none of class labels")
    return images[0], label


def _parts(data: Data, sets: dict[str, Any]) -> library.Parts:
    return {role: _part(data, role, one) for role, one in sets.items()}


def _part(data: Data, role: str, one: Any) -> library.LibraryPart:
    import datasets

    column, label = _columns(data, one)
    digest = hashlib.sha256()
    for item in one.cast_column(column, datasets.Image(decode=False))[column]:
        digest.update(item["bytes"] or str(item["path"]).encode())

    def image(number: int) -> Image.Image:
        return library.as_rgb(lambda: one[number][column], f"{data.name}, {role} image {number}")

    return library.LibraryPart(library.numbered(one[label], data.name), image, digest.digest())
