"""Names the errors of the service; see :mod:`trainables.errors` for the family and the exit codes."""

from __future__ import annotations

from trainables.errors import DONE, INTERRUPTED, TRIALS_FAILED, WRONG_INPUT, SDDError, one_line, suggestion

__all__ = [
    "DONE",
    "INTERRUPTED",
    "TRIALS_FAILED",
    "WRONG_INPUT",
    "ClusterError",
    "LocationError",
    "SDDError",
    "SpecError",
    "StageFailed",
    "StudyBusy",
    "StudyHalted",
    "TrackingError",
    "UserError",
    "one_line",
    "suggestion",
]


class UserError(SDDError):
    """Says what the user asked for that cannot be, and the remedy."""


class SpecError(UserError):
    """Says what is wrong with a study; names file and field."""


class StudyBusy(UserError):
    """Says that another launcher has the study open."""


class ClusterError(UserError):
    """Says why Ray cannot be started or reached, or cannot run a trial of this study."""


class TrackingError(UserError):
    """Says why MLflow cannot be used."""


class LocationError(UserError):
    """Says why the store or Optuna's database cannot be used."""


class StudyHalted(SDDError):
    """Says what the whole study needs and does not work, such as a full disk; what was done is kept.

    Not the input's fault, and not a trial's: once it is mended, the same command goes on.
    """

    exit_code = INTERRUPTED


class StageFailed(SDDError):
    """Says why a stage cannot go on, such as a search whose teacher failed; the study ends with a report."""

    exit_code = TRIALS_FAILED
