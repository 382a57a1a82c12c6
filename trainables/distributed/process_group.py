"""The processes that train one trial together, each on a device of its own with a share of every batch.

A group of one is :class:`ProcessGroup`, and does nothing. :class:`DistributedGroup` is the default process
group of ``torch.distributed`` (gloo on CPUs, NCCL on GPUs), which whoever starts the processes has set up.
"""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

T = TypeVar("T")


class ProcessGroup:
    """One process by itself.

    Attributes:
        rank: number of this process.
        size: number of processes.
    """

    rank = 0
    size = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and says things."""
        return self.rank == 0

    @property
    def share(self) -> tuple[int, int]:
        """Which share of a batch is this process's: (rank, size)."""
        return self.rank, self.size

    def sum(self, values: Tensor) -> Tensor:
        """The sum of everybody's ``values``, the same bits for all; may be ``values`` itself."""
        return values

    def gather(self, value: T) -> list[T]:
        """Everybody's ``value``, by rank."""
        return [value]

    def told(self, value: T) -> T:
        """The leader's ``value``."""
        return value

    def averaging(self, module: nn.Module) -> nn.Module:
        """``module`` with its parameters' gradients averaged over the group in each backward pass."""
        return module

    def portion(self, loss: Tensor, here: int, whole: int) -> Tensor:
        """``loss``, a mean over the ``here`` images of this share, so that its average over the group is the
        mean over the ``whole`` batch."""
        return loss

    def mean_buffers(self, module: nn.Module) -> None:
        """Set each floating-point buffer of ``module`` to its mean over the group."""


ALONE = ProcessGroup()
"""A group of one."""


class DistributedGroup(ProcessGroup):
    """The default process group of ``torch.distributed``."""

    def __init__(self) -> None:
        self.rank = distributed.get_rank()
        self.size = distributed.get_world_size()

    def sum(self, values: Tensor) -> Tensor:
        """See :class:`ProcessGroup`; in place."""
        distributed.all_reduce(values)
        return values

    def gather(self, value: T) -> list[T]:
        """See :class:`ProcessGroup`."""
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def told(self, value: T) -> T:
        """See :class:`ProcessGroup`."""
        values = [value]
        distributed.broadcast_object_list(values, src=0)
        return values[0]

    def averaging(self, module: nn.Module) -> nn.Module:
        """``module`` under :class:`torch.nn.parallel.DistributedDataParallel`.

        Looking for unused parameters keeps the buckets as they are first laid out. Those made anew after the
        first backward pass would change the order of sums, and with it the last bits of a resumed trial.
        """
        if not any(parameter.requires_grad for parameter in module.parameters()):
            return module
        with warnings.catch_warnings():  # torch 2.15 has a new name for an argument that 2.11 does not know
            warnings.simplefilter("ignore", FutureWarning)
            return nn.parallel.DistributedDataParallel(
                module, broadcast_buffers=False, find_unused_parameters=True
            )

    def portion(self, loss: Tensor, here: int, whole: int) -> Tensor:
        """See :class:`ProcessGroup`."""
        return loss * (here * self.size / whole)

    def mean_buffers(self, module: nn.Module) -> None:
        """See :class:`ProcessGroup`."""
        for buffer in module.buffers():
            if buffer.is_floating_point():
                buffer.copy_(self.sum(buffer.double()) / self.size)


LOST = ("gloo", "nccl", "connection closed by peer", "connection reset by peer", "socket closed")
"""In the message of an error that comes of the end of another process."""


def peer_lost(error: BaseException) -> bool:
    """Whether ``error`` says that another process of the group has ended, and nothing about this one."""
    if isinstance(error, distributed.DistError):
        return True
    told = isinstance(error, RuntimeError) and not isinstance(error, torch.OutOfMemoryError)
    return told and any(sign in str(error).lower() for sign in LOST)
