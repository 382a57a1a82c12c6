"""Reads the lists that come with data sets, as editors and systems leave them."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from trainables.data.raw import DataError
from trainables.data.readers.image_folders import shown


def table(path: Path, columns: int | None = None) -> list[list[str]]:
    """Return the words of each line of a text file, in ``columns`` columns (the last takes the line's rest).

    Blank lines and blanks around lines are left out; a byte order mark is heeded; bytes that are no UTF-8 are
    kept as the file system keeps them in names.

    Raises:
        DataError: a line has fewer columns; the message names the line.
    """
    try:
        content = path.read_bytes()
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            text = content.decode("utf-16")
        else:
            text = os.fsdecode(content.removeprefix(codecs.BOM_UTF8))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"root: {shown(path)} cannot be read ({error}); unpack the data set again") from error
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        row = line.strip().split(None, -1 if columns is None else columns - 1)
        if columns is not None and 0 < len(row) < columns:
            raise DataError(
                f"root: {shown(path)}, line {number}: fewer than {columns} words; write the line out, or "
                "unpack the data set again"
            )
        if row:
            rows.append(row)
    return rows
