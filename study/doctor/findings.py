"""Runs a list of checks, and holds what each found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from study.errors import UserError
from study.workspace.folder import StudyFolder
from trainables.errors import one_line

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """Holds in one line what was looked at, whether it will do, what was found, and the remedy.

    >>> roomy("results", free=30 * GIB, least=1, enough=10, remedy="delete old studies")
    Finding(name='results', status='ok', found='30.0 GiB free', remedy='')
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class DoctorContext:
    """Holds what a launch with the same options would have.

    >>> context = DoctorContext(StudyFolder(Path("/data/results"), "quickstart"))
    >>> check = lambda context: [Finding("folder", "ok", context.folder.name)]
    >>> [finding.found for finding in run_checks([("folder", check)], context)]
    ['quickstart']

    Attributes:
        folder: of a study that need not exist; its results folder, store, databases.
        address: of a Ray cluster; None for one on this machine.
        space: a space file or a shipped space's name, with ``overrides``; None to look at no data.
        read_files: whether each image file of the space's data is read.
        progress: called while that goes on, with how many were read and how many there are.
    """

    folder: StudyFolder
    address: str | None = None
    space: str | None = None
    overrides: Sequence[str] = ()
    read_files: bool = False
    progress: Callable[[int, int], None] = lambda done, total: None


Check = Callable[[DoctorContext], Iterable[Finding]]


def run_checks(checks: Iterable[tuple[str, Check]], situation: DoctorContext) -> Iterator[Finding]:
    """Give the findings of all checks, each as soon as it is known; one that breaks is a finding itself."""
    for name, check in checks:
        try:
            yield from check(situation)
        except UserError as error:
            yield Finding(name, "fail", str(error))
        except Exception as error:
            yield Finding(name, "fail", typed(error), "see the reason")


def typed(error: BaseException) -> str:
    """Return an error's type and its message, on one line."""
    return f"{type(error).__name__}: {one_line(error, 300)}"


@contextmanager
def borrowed(folder: Path) -> Iterator[Path]:
    """Make ``folder`` for as long as it is needed; parents that were missing go again with it."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        for path in missing:
            path.rmdir()


def roomy(name: str, free: int, least: float, enough: float, remedy: str, what: str = "free") -> Finding:
    """Judge ``free`` bytes, of which ``least`` GiB are needed and ``enough`` wanted."""
    gib = free / GIB
    status: Literal["ok", "warn", "fail"] = "fail" if gib < least else "warn" if gib < enough else "ok"
    return Finding(name, status, f"{gib:.1f} GiB {what}", "" if status == "ok" else remedy)
