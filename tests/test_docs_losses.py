"""docs/losses.md names every built-in logit loss with its knobs, and its example is one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from trainables.losses import check_logit_loss
from trainables.losses.catalog import BUILT_IN_LOGIT_LOSSES

PAGE = (Path(__file__).parents[1] / "docs" / "losses.md").read_text()
ROWS = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \| ([^|]+\|[^|]+) \|$", PAGE, flags=re.MULTILINE)}


def test_every_built_in_loss_has_its_row() -> None:
    assert set(ROWS) == BUILT_IN_LOGIT_LOSSES


@pytest.mark.parametrize("name", sorted(BUILT_IN_LOGIT_LOSSES))
def test_a_row_names_the_knobs(name: str) -> None:
    options = set(check_logit_loss(name)) - {"as_released"}
    if name == "gdkd3":
        options = {"top"}  # "the rest as `gdkd`"
    assert all(f"`{option}` " in ROWS[name] for option in options)
    assert ROWS[name].partition("|")[0].strip().count(". ") == 1  # two sentences


def test_the_example_is_one() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    known: dict[str, Any] = {}
    imports, _, lines = block.partition("\n\n")
    exec(imports, known)
    labels = [eval(line, known).label for line in lines.strip().splitlines()]
    assert labels == ["RLD", "TTM", "KD+LS", "SD-DIST+LSW", "SDD", "SD-CRLD"]
