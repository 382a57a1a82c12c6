"""Lists of words, as editors and systems leave them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainables.data import DataError
from trainables.data.readers.text_tables import table


def test_a_short_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("1 one two\n2\n")
    with pytest.raises(DataError, match=r"^root: .*list\.txt, line 2: fewer than 2 words"):
        table(path, 2)
    path.write_text("1 one two\n")
    assert table(path, 2) == [["1", "one two"]]


@pytest.mark.parametrize(
    "content",
    [
        b"1 one two\n2 three\n\n  \n",
        b" 1 one two  \r\n2\tthree \r\n",
        b"\xef\xbb\xbf1 one two\n2 three",
        "1 one two\n2 three\n".encode("utf-16"),
    ],
)
def test_blanks_marks_and_line_ends_are_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    assert table(tmp_path / "list.txt", 2) == [["1", "one two"], ["2", "three"]]


def test_names_in_another_encoding_are_those_of_the_file_system(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("1 Möwe.jpg\n".encode("latin-1"))
    (tmp_path / table(tmp_path / "list.txt", 2)[0][1]).touch()
    assert b"M\xf6we.jpg" in os.listdir(os.fsencode(tmp_path))
