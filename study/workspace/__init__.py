"""Knows where a study's files are, and who may write them.

:class:`StudyFolder` names the files, :class:`Locations` the store and the database where they lie elsewhere.
A launcher holds the folder's lock and, where the store is shared, the study's :class:`Lease`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.workspace.folder import StudyFolder as StudyFolder
    from study.workspace.folder import find_study as find_study
    from study.workspace.lease import Lease as Lease
    from study.workspace.locations import Locations as Locations
    from study.workspace.lock import LockOwner as LockOwner
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
