"""Pages for contributors name files that are there, and draw the tower of rooms that the imports have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_imports import STUDY, TOP, TRAINABLES

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
]
TOPS = ("study", "trainables", "tests", "benchmarks", "cluster", "docs", "search_spaces")


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_are_there(page: str) -> None:
    text = (ROOT / page).read_text()
    named = re.findall(rf"`((?:{'|'.join(TOPS)})/[\w./-]*)`", text)
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    missing = [name for name in named if "NAME" not in name and not (ROOT / name).exists()]
    missing += [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    assert not missing


def tower(package: str) -> list[set[str]]:
    """Rooms and files of ``package`` in the drawing, line by line from the top."""
    drawing = (ROOT / "docs/architecture.md").read_text().split(f"\n    {package}\n")[1].split("\n\n")[0]
    return [
        {name.removesuffix(".py") for name in re.findall(r"\b(\w+(?:/|\.py))(?=\s|$)", line)}
        for line in drawing.splitlines()
    ]


@pytest.mark.parametrize(
    ("package", "table", "top"), [("study", STUDY, TOP), ("trainables", TRAINABLES, set())]
)
def test_the_tower_is_drawn_as_the_rooms_import(
    package: str, table: dict[str, set[str]], top: set[str]
) -> None:
    lines = [{name.rstrip("/") for name in line} for line in tower(package)]
    assert set().union(*lines) == set(table) | top
    for number, line in enumerate(lines):
        below = set().union(*lines[number + 1 :])
        for room in line - top:
            assert table[room] <= below, (
                f"{room} imports {table[room] - below}, which is drawn above or beside"
            )
