"""Errors that are the user's to mend: each is shown as one line, and the command ends with exit code 2."""

from __future__ import annotations

DONE, WRONG_INPUT, TRIALS_FAILED, INTERRUPTED = 0, 2, 3, 130
"""Exit codes."""


class UserError(Exception):
    """What is wrong, where, and the remedy, in one line whatever the user's words in it are."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class SpecError(UserError):
    """The study is wrong; names file and field."""


class StudyBusy(UserError):
    """Another launcher has the study open."""


class ClusterError(UserError):
    """Ray cannot be started or reached, or cannot run a trial of this study."""


class TrackingError(UserError):
    """MLflow cannot be reached."""


class LocationError(UserError):
    """The store or Optuna's database cannot be used."""


class StudyHalted(Exception):
    """Something that the whole study needs does not work, such as a full disk; what was done is kept.

    Not the input's fault, and not a trial's: once it is mended, the same command goes on. One line.
    """


class StageFailed(Exception):
    """A stage cannot go on, such as a search whose teacher failed to train; the study ends with a report."""


def in_one_line(error: BaseException) -> str:
    """An error in one line: its type and the last line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__
