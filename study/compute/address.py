"""Finds which Ray cluster a launch uses, and whether it answers."""

from __future__ import annotations

import re
import socket

from study.compute.ray_private import address_of_this_node
from study.errors import ClusterError, one_line


def check_answers(address: str) -> None:
    """Raise :class:`ClusterError` where nothing listens at ``host:port``; Ray would wait for minutes."""
    if address.startswith("ray://"):
        raise ClusterError(
            f"cannot run a study through {address}, which is Ray Client's; launch on the cluster with "
            "--address auto, or from here with --submit http://HOST:8265"
        )
    if address.startswith(("http://", "https://")):
        raise ClusterError(
            f"cannot run a study through {address}, which is a job server's; launch from here with "
            f"--submit {address} (and no RAY_ADDRESS), or on the cluster with --address auto"
        )
    match = re.fullmatch(r"\[?([^\]/]+)\]?:(\d+)", address)
    if match is None:
        return
    try:
        socket.create_connection((match[1], int(match[2])), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"cannot reach Ray at {address}: {one_line(error, part='last', kind=True)}; "
            "is the cluster up, and the address right?"
        ) from None


def own_cluster() -> str | None:
    """Find the address of the cluster that this machine was made a node of; None where there is none.

    Ray's own rule, but for a file left by a cluster that is gone: that one does not answer.
    """
    address = address_of_this_node()
    if address is None:
        return None
    try:
        check_answers(address)
    except ClusterError:
        return None
    return address
