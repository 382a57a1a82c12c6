"""Checks all that a launch needs: each check says what it found and what to do.

A check is a function in the list of its subject: this machine, the services a study talks to, the account and
files of a cluster. It changes nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.doctor.findings import DoctorContext as DoctorContext
    from study.doctor.findings import Finding as Finding
    from study.doctor.findings import run_checks as run_checks
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
