"""Runs a study from Python, in a notebook or a script: ``study.run``."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from study.api.opened import Study
from study.api.running import chosen_stages, raise_on_signals, run_study
from study.errors import UserError
from study.loading import load
from study.monitoring.launch_log import LaunchLog
from study.spec.study import StudySpec
from study.workspace.folder import StudyFolder
from study.workspace.locations import Locations

NOTEBOOK_WIDTH = 120


def run(
    space: StudySpec | str | Path,
    *,
    results: str | Path = "results",
    overrides: Iterable[str] = (),
    stages: Iterable[str] | None = None,
    address: str | None = None,
    store: str | None = None,
    optuna: str | None = None,
) -> Study:
    """Run a study, or go on with it, in this process; return it as :func:`study.open` does.

    It goes the way of ``study/launch.py``: the same stages, trial keys and files, so either goes on with what
    the other began. Progress is printed as it comes. Trials that fail are told and counted in the returned
    :class:`Study`; the others go on. Where a cluster's head is lost for good, Ray ends the process.

    Args:
        space: a spec with a name, a space file, or the name of a shipped space.
        results: folder of all that is kept; another study in it shares trained teachers and baselines.
        overrides: changes of single fields, as after ``--set``: ``budget.trials=20``.
        stages: only these of teachers, search, confirm, report.
        address: of a Ray cluster, such as ``auto``; by default the one this process uses already, the one
            this machine is a node of, or one of its own for as long as this call lasts.
        store: where runs and teachers are kept, if not in ``results``.
        optuna: the search's database, if not in ``results``.

    Raises:
        UserError: something is wrong with the study, its data or its surroundings; nothing was run.
        KeyboardInterrupt: by Ctrl-C or the notebook's stop button, within seconds; what was done is kept, and
            the same call goes on.
        StudyHalted: a full disk or the like ended it; what was done is kept.

    >>> import study
    >>> study.run("quickstart", overrides=["budget.trials=0"])
    Traceback (most recent call last):
    study.errors.SpecError: ...quickstart.py: budget.trials: 0 is fewer than 1
    """
    spec = load(space, overrides)
    asked = Locations.of(store, optuna)
    folder = StudyFolder(Path(results).expanduser().absolute(), spec.name, asked)
    with interruptible(), LaunchLog(notebook_console()) as launch_log:
        run_study(spec, folder, chosen_stages(stages), address, launch_log, "the same call")
    return Study(folder)


@contextmanager
def interruptible() -> Iterator[None]:
    """Have SIGINT and SIGTERM raise ``KeyboardInterrupt`` inside; afterwards they do what they did before."""
    if threading.current_thread() is not threading.main_thread():
        raise UserError("study.run: call it in the main thread; no other can be interrupted")
    before = raise_on_signals()
    try:
        yield
    finally:
        for number, answer in before.items():
            signal.signal(number, answer)


def notebook_console() -> Console:
    """Return a console that prints plain lines under a notebook's cell; in a terminal, a live view.

    A kernel's standard output says it is a terminal, and does not obey what moves a terminal's cursor.
    """
    if not Console().is_jupyter:
        return Console(highlight=False)
    return Console(
        file=sys.stdout,
        force_jupyter=False,
        force_terminal=False,
        color_system=None,
        width=NOTEBOOK_WIDTH,
        highlight=False,
    )
