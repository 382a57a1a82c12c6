"""Normalises batches by the statistics of the whole batch, or of parts of it, wherever its images lie.

With P parts, image i of a batch belongs to part i mod P, and is normalised by the mean and variance of that
part ("ghost batches", Hoffer et al. 2017). P = 1 is the usual normalisation; W workers add up the sums of all
shares for it. P = W is what published code for several GPUs does, each with the statistics of its own share;
one device gives the same numbers by cutting the batch. Either way the result does not depend on how many
workers there are, but for rounding.

torch's own ``SyncBatchNorm`` runs on GPUs only, and replacing modules misses those that extend
``nn.BatchNorm2d`` (timm's). Here calls of ``torch.nn.functional.batch_norm`` are caught instead.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from trainables.distributed.process_group import ProcessGroup


def batch_statistics(parts: int, group: ProcessGroup) -> AbstractContextManager[Any]:
    """Return a context in which training networks normalise by ``parts`` of the batch ``group`` shares."""
    return nullcontext() if parts == group.size == 1 else _BatchStatistics(parts, group)


class _BatchStatistics(TorchFunctionMode):
    """Catches calls of ``functional.batch_norm``, to normalise by the group's batch or parts of it."""

    def __init__(self, parts: int, group: ProcessGroup) -> None:
        super().__init__()
        if parts > 1 and parts % group.size:
            raise ValueError(f"{parts} parts of a batch cannot be shared evenly by {group.size} workers")
        self.parts = parts
        self.group = group

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is functional.batch_norm:
            return self._normalise(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))

    def _normalise(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """Stand in for ``functional.batch_norm``, of which this has the parameters."""
        here = self.parts // self.group.size
        if not training or here == 1:
            return functional.batch_norm(
                input, running_mean, running_var, weight, bias, training, momentum, eps
            )
        if self.parts > 1:
            return _in_parts(input, running_mean, running_var, weight, bias, momentum, eps, here)
        output, mean, var, count = _Synchronised.apply(input, weight, bias, eps, self.group)
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((var * (count / (count - 1))).to(running_var.dtype), momentum)
        normalised: Tensor = output
        return normalised


def _in_parts(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: float,
    eps: float,
    parts: int,
) -> Tensor:
    """Normalise each part by its own statistics; running ones become the mean of what the parts make them."""
    means = [None if running_mean is None else running_mean.clone() for _ in range(parts)]
    variances = [None if running_var is None else running_var.clone() for _ in range(parts)]
    pieces = [
        functional.batch_norm(
            input[part::parts], means[part], variances[part], weight, bias, True, momentum, eps
        )
        for part in range(parts)
    ]
    for running, updated in ((running_mean, means), (running_var, variances)):
        if running is not None:
            running.copy_(torch.stack(updated).mean(0))  # type: ignore[arg-type]
    return torch.stack(pieces, dim=1).flatten(0, 1)


class _Synchronised(torch.autograd.Function):
    """Normalises a batch by its mean and variance [C] over the images of all workers.

    y = (x - mean) / sqrt(var + eps) * weight + bias

    Sums are exchanged in float64: 2C of the images and their number forward, 2C of gradients backward. The
    gradients of weight and bias are those of this worker's share, for the caller to average like all others.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, group: ProcessGroup
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        over = [dim for dim in range(x.dim()) if dim != 1]
        here = x.numel() // x.shape[1]
        variance, mean = torch.var_mean(x.float(), dim=over, correction=0)
        variance, mean = variance.double(), mean.double()
        sums = torch.cat([mean * here, (variance + mean.square()) * here, mean.new_tensor([here])])
        channels = x.shape[1]
        sums = group.all_reduce(sums)
        count = sums[-1]
        mean = sums[:channels] / count
        variance = (sums[channels:-1] / count - mean.square()).clamp_min(0)
        ctx.save_for_backward(x, weight, mean.float(), variance.float(), count)
        ctx.eps, ctx.group = eps, group
        ctx.mark_non_differentiable(mean, variance, count)
        output = functional.batch_norm(
            x, mean.float(), variance.float(), weight, bias, training=False, eps=eps
        )
        return output, mean, variance, count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance, count = ctx.saved_tensors
        gradient = gradients[0]
        assert gradient is not None
        scale = torch.ones_like(mean) if weight is None else weight.float()
        unused = mean.new_empty(0)  # statistics of the forward pass; CUDA's kernel refuses None
        _, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, scale, mean, variance, unused, unused, False, ctx.eps, [False, True, True]
        )
        channels = x.shape[1]
        sums = ctx.group.all_reduce(torch.cat([of_bias, of_weight]).double()) / count
        mean_gradient, mean_slope = sums[:channels].float(), sums[channels:].float()
        inverse = (variance + ctx.eps).rsqrt()
        factor, slope = scale * inverse, scale * inverse.square() * mean_slope
        offset = slope * mean - factor * mean_gradient

        def wide(values: Tensor) -> Tensor:
            return values.view(1, -1, *[1] * (x.dim() - 2))

        inner = torch.addcmul(wide(offset), x.float(), wide(-slope))
        inner = inner.addcmul_(gradient.float(), wide(factor)).to(x.dtype)
        if weight is None:
            return inner, None, None, None, None
        return inner, of_weight.to(weight.dtype), of_bias.to(weight.dtype), None, None
