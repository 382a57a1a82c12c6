"""A made input and what must become of it before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from study.errors import UserError


@dataclass(frozen=True, slots=True)
class Read:
    """It is taken; ``remark`` is looked for in what is said about it, and without one nothing is said."""

    remark: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """It is refused in one line that names the field and the remedy."""

    message: str


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a table.

    Attributes:
        about: what the input is, as its owner would say it.
        make: makes it in an empty folder, and returns what a user would write.
        must: what becomes of it.
    """

    about: str
    make: Callable[[Path], Any]
    must: Read | Refused


def table(*cases: Case) -> pytest.MarkDecorator:
    """Run a test once for each of ``cases``."""
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.about) for case in cases])


def hold(case: Case, place: Path, take: Callable[[Any], tuple[str, ...]]) -> None:
    """Make the input and check the outcome of ``take``, which returns what is said about it."""
    made = case.make(place)
    if isinstance(case.must, Refused):
        with pytest.raises((ValueError, UserError)) as caught:
            take(made)
        said = str(caught.value)
        assert "\n" not in said
        assert re.search(case.must.message, said), said
        said.encode()  # it can be printed
        return
    remarks = take(made)
    assert bool(remarks) == bool(case.must.remark), remarks
    assert re.search(case.must.remark, " ".join(remarks)), remarks
