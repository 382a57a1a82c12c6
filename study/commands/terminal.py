"""Prints on whatever standard output is: an old terminal, a pipe whose reader leaves, a lost line."""

from __future__ import annotations

import codecs
import errno
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, TextIO, cast

PLAIN = {
    "—": "-",
    "–": "-",
    "−": "-",
    "±": "+/-",
    "…": "...",
    "×": "x",
    "·": ".",
    "→": "->",
    "α": "alpha",
    "β": "beta",
}
"""Characters to write for those that an encoding has not got; a ``?`` for all others."""

GONE = (errno.EPIPE, errno.EIO)
"""Errors of an output that nobody reads any more: a pipe's, and a terminal's that has hung up."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(one, "?") for one in error.object[error.start : error.end]), error.end


codecs.register_error("sdd-plain", _plain)


def print_on_any_terminal() -> None:
    """Have standard output and error take every character, whatever their encoding is."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # what a test or a notebook puts there takes all there are
            cast(TextIOWrapper, stream).reconfigure(errors="sdd-plain")


class OutlivesItsReader:
    """Writes to a text stream until nobody reads it any more, and from then on nowhere.

    ``launch ... | head`` and a lost connection must not end a study of days: it goes on, and ``launch.log``
    in its folder, ``sdd-study status`` and ``sdd-study stop`` are there for it.

    >>> reader, writer = os.pipe()
    >>> os.close(reader)
    >>> stream = OutlivesItsReader(os.fdopen(writer, "w"))
    >>> stream.write("nobody reads this")
    17
    >>> stream.flush()
    >>> stream.close()
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write ``text`` as :class:`io.TextIOBase` does, or to nowhere once nobody reads."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._read_no_more(error)
            return len(text)

    def flush(self) -> None:
        """Flush the stream as :class:`io.IOBase` does, or nothing once nobody reads."""
        try:
            self._stream.flush()
        except OSError as error:
            self._read_no_more(error)

    def _read_no_more(self, error: OSError) -> None:
        if error.errno not in GONE:
            raise error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def outlive_readers() -> None:
    """Have this process outlive whoever reads its standard output and error."""
    sys.stdout = cast(TextIO, OutlivesItsReader(sys.stdout))
    sys.stderr = cast(TextIO, OutlivesItsReader(sys.stderr))
