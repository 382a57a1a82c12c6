"""Explains in one line what ended a trial, or a whole run of trials, without being the trial's fault."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Any

FULL = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EIO,
    errno.ESTALE,
    errno.EACCES,
    errno.EPERM,
)
"""Errors of a disk, or of who may write to it, rather than of what was asked of it."""

LOSSES = 3
"""Times in a row, without a new epoch between them, that a trial's process may be lost."""

DATABASE = re.compile(
    r"^(?:\w+\.)*(?:OperationalError|DatabaseError|StorageInternalError|InternalError): (.+)", re.M
)


def lost(trial: Any) -> str:
    """Say why the process of a Tune trial is gone, from the trial's error file."""
    # Tune's own get_error() reads where the file will have been copied to later
    file = Path(trial.error_file) if trial.error_file else None
    return reason_of_loss(
        file.read_text(encoding="utf-8", errors="replace") if file is not None and file.exists() else ""
    )


def reason_of_loss(text: str) -> str:
    """Say the last failure in a trial's error file, in one line.

    >>> reason_of_loss("Failure # 1\\nTraceback\\nValueError: loss is NaN")
    'ValueError: loss is NaN'
    """
    text = text.rpartition("Failure # ")[2]
    if "low on memory" in text:  # Ray names the OOM killer as a possible cause of any other loss as well
        used = re.search(r"Memory on the node .*? was ([\d.]+GB / [\d.]+GB)", text)
        return "out of memory: the node ended its process" + (f" at {used[1]}" if used else "")
    if re.search(r"\bnode (?:has |was |is )?(?:died|crashed|dead|terminated|preempted)", text):
        return "its node was lost"
    if "temporarily unavailable" in text:
        return "its process did not answer"
    if "actor died" in text.lower() or "worker process has died" in text or not text:
        return "its process was lost"
    for line in reversed([line.rstrip() for line in text.splitlines() if line.strip()]):
        if match := re.match(r"(?:\w+\.)*([A-Z]\w*): (.+)", line):
            return f"{match[1]}: {match[2]}"
    return text.strip().splitlines()[-1].strip()


def told(error: BaseException) -> str:
    """Say a fault of a disk, store or database in one line; raise ``error`` again if it is something else."""
    if isinstance(error, OSError):
        if error.errno not in FULL:
            raise error
        return f"cannot write {error.filename or 'a file'}: {error.strerror}"
    return str(error)


def database_fault(error: BaseException) -> str | None:
    """Say what is wrong with Optuna's database; None where ``error`` is something else.

    The innermost cause is taken: Optuna's own error only guesses at the reason.
    """
    found = None
    cause: BaseException | None = error
    while cause is not None:
        match = DATABASE.search(str(cause)) or DATABASE.search(f"{type(cause).__name__}: {cause}")
        found, cause = match or found, cause.__cause__
    return f"Optuna's database: {found[1].strip()}" if found else None
