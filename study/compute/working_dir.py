"""Gathers the code that travels to the nodes of a cluster with a study."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainables.losses.user_modules import write_beside

CODE = ("study", "trainables", "search_spaces")

IN_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"


@contextmanager
def code(space: Path | None = None) -> Iterator[Path]:
    """Make a folder with this program's code alone, to be a Ray job's ``working_dir``; it is gone afterwards.

    Args:
        space: a space file of the user's; it is put into ``space/``, with the modules beside it that it
            imports.
    """
    root = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory(prefix="sdd-code-") as scratch:
        for name in CODE:
            ignored = shutil.ignore_patterns("__pycache__", ".*")
            shutil.copytree(root / name, Path(scratch, name), ignore=ignored)
        if space is not None:
            write_beside(space, Path(scratch, "space"))
        yield Path(scratch)


def travels_already() -> bool:
    """Tell whether this process is a Ray job, whose own environment has its code on every node."""
    return IN_A_JOB in os.environ
