"""Lets several processes train one trial together: reductions, batch statistics, checks.

:class:`ProcessGroup` is one process by itself, :class:`DistributedGroup` one of several; the code that trains
asks either the same questions.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.distributed.process_group import DistributedGroup as DistributedGroup
    from trainables.distributed.process_group import ProcessGroup as ProcessGroup
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
