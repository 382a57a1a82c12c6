"""Groups the processes that train one trial together, each on its own device with a share of every batch.

A group of one is :class:`ProcessGroup`, and does nothing. :class:`DistributedGroup` is the default process
group of ``torch.distributed`` (gloo on CPUs, NCCL on GPUs), which whoever starts the processes has set up.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

T = TypeVar("T")


class ProcessGroup:
    """Stands for one process by itself: collective operations return what they are given.

    Attributes:
        rank: number of this process.
        size: number of processes.

    Example:
        >>> group = ProcessGroup()
        >>> group.is_leader, group.share, group.all_gather("seed")
        (True, (0, 1), ['seed'])
    """

    rank = 0
    size = 1

    @property
    def is_leader(self) -> bool:
        """Whether this process, rank 0, writes files and logs for the group."""
        return self.rank == 0

    @property
    def share(self) -> tuple[int, int]:
        """Share of each batch that is this process's: (rank, size)."""
        return self.rank, self.size

    def all_reduce(self, values: Tensor) -> Tensor:
        """Return the sum of all processes' ``values``, the same bits for all; may be ``values`` itself."""
        return values

    def all_gather(self, value: T) -> list[T]:
        """Return all processes' ``value``, by rank."""
        return [value]

    def broadcast(self, value: T) -> T:
        """Return the leader's ``value``."""
        return value

    def data_parallel(self, module: nn.Module) -> nn.Module:
        """Return ``module`` with its gradients averaged over the group in each backward pass."""
        return module

    def scale_loss(self, loss: Tensor, local: int, total: int) -> Tensor:
        """Return ``loss``, a mean over this share's ``local`` images, scaled for averaged gradients.

        Its average over the group is then the mean over the ``total`` images of the batch, whose shares may
        differ by one: loss * local * size / total.
        """
        return loss

    def average(self, values: Sequence[Tensor]) -> None:
        """Set each of ``values``, which have the same shapes in all processes, to its mean over the group."""

    def average_buffers(self, module: nn.Module) -> None:
        """Set each floating-point buffer of ``module`` to its mean over the group."""


SINGLE_PROCESS = ProcessGroup()
"""Group of a process that trains by itself."""


class DistributedGroup(ProcessGroup):
    """Reduces, gathers and broadcasts over the default process group of ``torch.distributed``."""

    def __init__(self) -> None:
        self.rank = distributed.get_rank()
        self.size = distributed.get_world_size()

    def all_reduce(self, values: Tensor) -> Tensor:
        """Return the sum of all processes' ``values``, in place, the same bits for all."""
        distributed.all_reduce(values)
        return values

    def all_gather(self, value: T) -> list[T]:
        """Return all processes' ``value``, by rank."""
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def broadcast(self, value: T) -> T:
        """Return the leader's ``value``."""
        values = [value]
        distributed.broadcast_object_list(values, src=0)
        return values[0]

    def data_parallel(self, module: nn.Module) -> nn.Module:
        """Wrap ``module`` in :class:`torch.nn.parallel.DistributedDataParallel`.

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

    def scale_loss(self, loss: Tensor, local: int, total: int) -> Tensor:
        """Return ``loss``, a mean over ``local`` of ``total`` images, scaled for averaged gradients."""
        return loss * (local * self.size / total)

    @torch.no_grad()
    def average(self, values: Sequence[Tensor]) -> None:
        """Set each of ``values`` to its mean over the group, by one collective operation."""
        whole = self.all_reduce(torch.cat([value.flatten() for value in values])) / self.size
        means = torch.split(whole, [value.numel() for value in values])
        for value, mean in zip(values, means, strict=True):
            value.copy_(mean.view_as(value))

    def average_buffers(self, module: nn.Module) -> None:
        """Set each floating-point buffer of ``module`` to its mean over the group."""
        for buffer in module.buffers():
            if buffer.is_floating_point():
                buffer.copy_(self.all_reduce(buffer.double()) / self.size)


PEER_LOST_SIGNS = ("gloo", "nccl", "connection closed by peer", "connection reset by peer", "socket closed")
"""Parts of the messages of errors that come of the end of another process."""


def peer_lost(error: BaseException) -> bool:
    """Tell whether ``error`` says that another process of the group has ended, and nothing about this one."""
    if isinstance(error, distributed.DistError):
        return True
    if not isinstance(error, RuntimeError) or isinstance(error, torch.OutOfMemoryError):
        return False
    return any(sign in str(error).lower() for sign in PEER_LOST_SIGNS)
