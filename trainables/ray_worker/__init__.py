"""Runs trials inside a Ray process: the only room of the data plane that imports Ray.

``trainable.py`` is what Tune calls, ``worker_group.py`` starts the workers of a trial on several devices,
``messages.py`` carries remarks and failures of both to the launcher.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.ray_worker.messages import ReportChannel as ReportChannel
    from trainables.ray_worker.trainable import TrialResources as TrialResources
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
