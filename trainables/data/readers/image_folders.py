"""Lists and hashes sets that are folders of image files; passes over what is no image, and counts it.

Names are taken as the file system has them, in any encoding. Decoding is in :mod:`image_files`.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.data.raw import DataError

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
READ = "read are " + ", ".join(sorted(EXTENSIONS))
LEFT_BY_SYSTEMS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
"""Folders that operating systems and file servers leave beside a set's own."""


class PassedOver:
    """Counts the entries that are no images of the set, by kind.

    >>> over = PassedOver()
    >>> over.add("birds/notes.txt")
    >>> over.remarks()
    ('passed over 1 entry that is no image of the set: 1 .txt file (such as birds/notes.txt)',)
    """

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.first = ""

    def add(self, path: str) -> None:
        """Count the entry at ``path``."""
        name = os.path.basename(path)
        suffix = os.path.splitext(name)[1].lower()
        folder = "folder" if os.path.isdir(path) else ""
        if hidden(name):
            kind = f"hidden {folder or 'file'}"
        else:
            kind = folder or (f"{suffix} file" if suffix else "file without an extension")
        self.kinds[kind] += 1
        self.first = self.first or path

    def remarks(self) -> tuple[str, ...]:
        """Return one line that says how many there are of which kind; none where there are none."""
        if not self.kinds:
            return ()
        said = ", ".join(
            f"{count} {kind.replace('file', 'files').replace('folder', 'folders') if count > 1 else kind}"
            for kind, count in self.kinds.most_common()
        )
        total = self.kinds.total()
        what = "entry that is no image" if total == 1 else "entries that are no images"
        return (f"passed over {total} {what} of the set: {shown(said)} (such as {shown(self.first)})",)


def shown(path: object) -> str:
    """Return a path as it can be printed and kept: bytes that are no text as escapes.

    >>> shown("birds/caf\\udce9.png")
    'birds/caf\\\\xe9.png'
    """
    return os.fsencode(str(path)).decode("utf-8", "backslashreplace")


def hidden(name: str) -> bool:
    """Tell whether an entry of this name is nobody's image.

    >>> [hidden(name) for name in ("._x.JPEG", ".ipynb_checkpoints", "__MACOSX", "x.JPEG")]
    [True, True, True, False]
    """
    return name.startswith(".") or name in LEFT_BY_SYSTEMS


def class_folders(root: Path, part: str, over: PassedOver | None = None) -> tuple[str, ...]:
    """Return the names of the class folders in ``root/part``, sorted; at least 2."""
    found: list[str] = []
    images = 0
    for entry in entries(root / part):
        if entry.is_dir() and not hidden(entry.name):
            found.append(entry.name)
            continue
        if not hidden(entry.name) and entry.is_symlink() and not os.path.exists(entry.path):
            raise leads_nowhere(entry.path)
        images += is_image(entry.name) and entry.is_file()
        if over is not None:
            over.add(entry.path)
    if len(found) < 2:
        place = shown(root / part)
        if images:
            raise DataError(
                f"root: {place} holds {images} images beside {len(found)} class folders; put each image into "
                "the folder of its class"
            )
        raise DataError(f"root: {place} holds {len(found)} class folders; it needs one for each class")
    return tuple(found)


def images_of_classes(
    root: Path, folders: Sequence[str], over: PassedOver | None = None, *, nested: bool = False
) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return the sorted paths below ``root`` of the images in ``folders``, and their folders' positions.

    Raises:
        DataError: a folder is missing or holds no images, a file is empty, or a link leads nowhere.
    """
    paths: list[str] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        here = PassedOver()
        found = [path for path, _ in listing(root, folder, here, nested=nested)]
        if not found:
            other = "".join(f"; {line}" for line in here.remarks())
            raise DataError(f"root: {shown(root / folder)} holds no images; {READ}{other}")
        if over is not None:
            over.kinds.update(here.kinds)
            over.first = over.first or here.first
        paths += found
        labels += [label] * len(found)
    return np.array(paths), np.array(labels, dtype=np.int64)


def listing(
    root: Path, folder: str, over: PassedOver | None = None, *, nested: bool = False
) -> Iterator[tuple[str, int]]:
    """Yield the path below ``root`` and the size in bytes of each image in ``root/folder``, sorted by name.

    Args:
        over: counts what is passed over.
        nested: whether images in folders below count too.

    Raises:
        DataError: the folder is missing, a file is empty, or a link to an image leads nowhere.
    """
    if not (root / folder).is_dir():
        raise DataError(f"root: {shown(root / folder)} is missing; unpack the data set again")
    for entry in entries(root / folder):
        if nested and entry.is_dir() and not hidden(entry.name):
            yield from listing(root, f"{folder}/{entry.name}", over, nested=True)
            continue
        if hidden(entry.name) or not is_image(entry.name) or entry.is_dir():
            if over is not None:
                over.add(entry.path)
            continue
        try:
            size = entry.stat().st_size
        except OSError:
            raise leads_nowhere(entry.path) from None
        if size == 0:
            raise DataError(f"root: {shown(entry.path)} is empty; copy it again, or delete it")
        yield f"{folder}/{entry.name}", size


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return the entries of ``folder``, sorted by name; :class:`DataError` where it cannot be listed."""
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"root: {shown(folder)} cannot be listed ({error.strerror})") from None


def is_image(name: str) -> bool:
    """Tell whether a file of this name is taken for an image."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS


def leads_nowhere(path: str) -> DataError:
    """Return the error about a link to a file that is not there."""
    return DataError(f"root: {shown(path)} is a link that leads nowhere; fetch its file, or delete the link")


def fingerprint(
    root: Path, folders: Iterable[str], texts: Iterable[str] = (), *, nested: bool = False
) -> str:
    """Return a hash of the images in ``folders``, by (path, size), and of the content of the ``texts``."""
    digest = hashlib.sha256()
    for folder in sorted(folders):
        for path, size in listing(root, folder, nested=nested):
            digest.update(os.fsencode(path) + f"\0{size}\n".encode())
    for text in sorted(texts):
        try:
            content = (root / text).read_bytes()
        except OSError as error:
            raise DataError(f"root: {shown(root / text)} cannot be read ({error.strerror})") from None
        digest.update(text.encode() + b"\0" + content + b"\n")
    return digest.hexdigest()
