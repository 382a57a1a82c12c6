"""Finds or starts what trials run on: Ray on this machine or a cluster, its nodes, each study's share.

:class:`Cluster` is the Ray of one launch, :class:`Watchdog` sees it go away, :class:`Nodes` says what fits on
it. What a study asks of Ray itself belongs here; what it asks of Ray Tune into ``study/tune``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.compute.cluster import Cluster as Cluster
    from study.compute.fair_share import LaunchMarker as LaunchMarker
    from study.compute.nodes import Nodes as Nodes
    from study.compute.watchdog import Watchdog as Watchdog
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
