"""``sdd-study pack``: what it writes, what it answers, and what it refuses in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.study.commands.conftest import Command
from trainables.config import Data
from trainables.data import fingerprint, load


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of two classes, ten images each, 150 x 120 pixels."""
    root = tmp_path / "pictures"
    for number in range(20):
        path = root / ("ant", "bee")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (120, 150, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return root


def test_a_folder_becomes_one_file(asked: Callable[..., Any], command: Command, pictures: Path) -> None:
    out = pictures.parent / "pictures.pack"
    arguments = ("pack", "folder", "--root", pictures, "--out", out, "--side", "112")
    arguments += ("--set", "options.test=0.5")
    code, said, progress = command(*arguments)
    assert (code, said.splitlines()[-1]) == (0, f'Data(name="mapped", root="{out}")')
    assert "20 of 20 packed" in progress
    data = Data(name="mapped", root=str(out), options={"size": 112}, validation=0.2)
    loaded = load(data, "cpu", workers=0)
    assert (len(loaded.all), len(loaded.test), loaded.classes) == (10, 10, ("ant", "bee"))
    assert next(loaded.train.batches(4, epoch=1)).images.shape == (4, 3, 112, 112)
    code, said, _ = command(*arguments, "--json")
    assert f'"fingerprint": "{fingerprint(data)}"' in said
    assert '"images": 20' in said


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"NAME": "foldr"}, "name: unknown data set 'foldr'; did you mean 'folder'?"),
        ({"--root": "nowhere"}, "root: nowhere does not exist"),
        ({"--side": "0"}, "--side: 0 is not between 1 and 4096 pixels"),
        ({"--quality": "96"}, "--quality: 96 is not between 1 and 95"),
        ({"--out": "no/such/x.pack"}, "no/such is no folder; make it first"),
        ({"--out": "."}, "is a folder; name a file"),
        ({"--set": "options.sid=3"}, "options.sid: unknown option"),
        ({"--set": "sid=3"}, "sid: unknown field 'sid'"),
        ({"--set": "options.size=64"}, "name: folder is kept in memory, shown at 64 pixels"),
    ],
)
def test_what_cannot_be_is_one_line(
    command: Command, pictures: Path, changes: dict[str, str], told: str
) -> None:
    given = {"NAME": "folder", "--root": str(pictures), "--out": str(pictures.parent / "x.pack")} | changes
    name = given.pop("NAME")
    code, said, complaint = command("pack", name, *(word for pair in given.items() for word in pair))
    assert (code, said) == (2, "")
    assert told in complaint
    assert complaint.startswith("error: ")
    assert complaint.count("\n") == 1
    assert not list(pictures.parent.glob("x.pack*"))


def test_an_image_that_cannot_be_read_is_named(command: Command, pictures: Path) -> None:
    (pictures / "ant/4.png").write_bytes(b"no image")
    out = pictures.parent / "x.pack"
    code, _, complaint = command("pack", "folder", "--root", pictures, "--out", out)
    assert code == 2
    assert "4.png cannot be read" in complaint
    assert not list(pictures.parent.glob("x.pack*"))
