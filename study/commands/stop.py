"""Ask the launcher of a study to stop, as Ctrl-C does, and wait until it has; it can go on later."""

from __future__ import annotations

import argparse
import os
import signal
import time
from contextlib import suppress

from study.commands.common import above_zero, add_study, answer, chosen_study
from study.errors import DONE, TRIALS_FAILED
from study.workspace.folder import StudyFolder
from study.workspace.lock import LockOwner

EPILOG = """
examples:
  sdd-study stop quickstart

Works from any host that sees the results folder. Exits 0 when no launcher runs the study any more, 3 if it
still does after --timeout.

JSON: {"study", "stopped": whether one ran and has ended, "running": whether one runs still, "host", "pid":
of the launcher or null, "seconds": until it ended}
"""

POLL_S = 0.1
PATIENCE_S = 10.0
"""Seconds for a signal to be answered, before the request is left as a file too."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``stop``."""
    add_study(parser)
    parser.add_argument(
        "--timeout", type=above_zero, default=120.0, metavar="S", help="seconds to wait for its end (120)"
    )


def run(args: argparse.Namespace) -> int:
    """Ask the launcher of the study to stop, and wait for it."""
    folder = chosen_study(args)
    launcher, began = folder.launcher(), time.monotonic()
    running = launcher is not None and not stop(folder, launcher, args.timeout)
    seconds = round(time.monotonic() - began, 1)
    about = {
        "study": folder.name,
        "stopped": launcher is not None and not running,
        "running": running,
        "host": launcher and launcher.host,
        "pid": launcher and launcher.pid,
        "seconds": seconds,
    }
    if launcher is None:
        text = f"{folder.name}: no launcher runs it"
    elif running:
        text = f"{folder.name}: asked; process {launcher.pid} on {launcher.host} still runs after {seconds} s"
    else:
        text = f"{folder.name}: stopped after {seconds} s; the launch command goes on where it was"
    answer(args, about, lambda: text)
    return TRIALS_FAILED if running else DONE


def stop(folder: StudyFolder, launcher: LockOwner, timeout: float) -> bool:
    """Ask by a signal where the process is ours to reach, else by a file; tell whether it ended in time."""
    signalled = False
    if launcher.here:
        with suppress(OSError):
            os.kill(launcher.pid, signal.SIGTERM)
            signalled = True
    if not signalled:
        folder.stop_request.touch()
    began = time.monotonic()
    while (now := folder.launcher()) is not None and (now.host, now.pid) == (launcher.host, launcher.pid):
        if signalled and time.monotonic() - began > PATIENCE_S:
            signalled = False
            folder.stop_request.touch()
        if time.monotonic() - began > timeout:
            return False
        time.sleep(POLL_S)
    folder.stop_request.unlink(missing_ok=True)
    return True
