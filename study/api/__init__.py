"""Runs and opens studies from Python: what ``import study`` hands on.

:func:`run_study` is the way through that the launch command and :func:`run` share; :class:`Study` reads what
a study left. New ways to ask a study something belong into :class:`Study`, new options of a run into
:func:`run_study` and both of its callers.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.api.notebook import run as run
    from study.api.opened import Study as Study
    from study.api.opened import open as open
    from study.api.running import run_study as run_study
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
