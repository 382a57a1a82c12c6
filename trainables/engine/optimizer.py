"""Updates weights by SGD with momentum, over torch's functional form, which leaves ``torch._dynamo`` alone.

``torch.optim.SGD`` imports it, which costs every new process of a trial 2 to 4 seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from trainables.config.training import Training


def learning_rate(training: Training, epochs_done: float) -> float:
    """Return the learning rate after ``epochs_done`` epochs (fractions within an epoch count).

    Step: lr * lr_decay^(milestones passed). Cosine: lr * (1 + cos(pi * epochs_done / epochs)) / 2. During the
    warm-up either is multiplied by (epochs_done + 1) / (lr_warmup_epochs + 1).

    >>> learning_rate(Training(lr=1.0, milestones=(150, 180)), epochs_done=150)
    0.1
    """
    lr = training.lr
    if training.schedule == "cosine":
        lr *= (1 + math.cos(math.pi * min(epochs_done / training.epochs, 1.0))) / 2
    else:
        lr *= training.lr_decay ** sum(epochs_done >= milestone for milestone in training.milestones)
    return lr * min((epochs_done + 1) / (training.lr_warmup_epochs + 1), 1.0)


def clip(gradients: Sequence[Tensor], norm: float) -> None:
    """Scale ``gradients`` in place, so that the norm of all of them together is at most ``norm``.

    Its numbers are those of ``torch.nn.utils.clip_grad_norm_``. Nothing waits for the device.
    """
    if not gradients:
        return
    total = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients))))
    torch._foreach_mul_(list(gradients), (norm / (total + 1e-6)).clamp(max=1.0))


class SGD:
    """Moves weights against their gradients, by the numbers and kernels of ``torch.optim.SGD(fused=True)``.

    With the gradient g of a weight w and its momentum v, which begins as the first g:
    g <- g * min(1, clip_norm / (norm of all gradients + 1e-6)) where the training has a ``clip_norm``;
    g <- g + weight_decay * w;  v <- momentum * v + g;  w <- w - lr * (g + momentum * v if nesterov else v).

    Attributes:
        lr: learning rate of the next step.

    Example:
        >>> weight = nn.Parameter(torch.ones(1))
        >>> optimizer = SGD([weight], Training(lr=0.5, weight_decay=0.0))
        >>> weight.grad = torch.ones(1)
        >>> optimizer.step()
        >>> weight.item()
        0.5
    """

    def __init__(self, parameters: Iterable[nn.Parameter], training: Training) -> None:
        self.lr: float = training.lr
        self._clip_norm = training.clip_norm
        self._parameters = list(parameters)
        self._momenta: list[Tensor | None] = [None] * len(self._parameters)
        self._settings: dict[str, Any] = {
            "momentum": training.momentum,
            "weight_decay": training.weight_decay,
            "nesterov": training.nesterov,
        }

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move each parameter that has a gradient."""
        moved = [place for place, parameter in enumerate(self._parameters) if parameter.grad is not None]
        momenta = [self._momenta[place] for place in moved]
        gradients = [grad for place in moved if (grad := self._parameters[place].grad) is not None]
        if self._clip_norm is not None:
            clip(gradients, self._clip_norm)
        sgd(
            [self._parameters[place] for place in moved],
            gradients,
            momenta,
            fused=True,
            lr=self.lr,
            dampening=0.0,
            maximize=False,
            **self._settings,
        )
        for place, momentum in zip(moved, momenta, strict=True):
            self._momenta[place] = momentum

    def state_dict(self) -> dict[str, Any]:
        """Return what a later step depends on, beside the parameters and the learning rate."""
        return {"momenta": list(self._momenta)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`; its tensors are copied to where the parameters are."""
        pairs = zip(state["momenta"], self._parameters, strict=True)
        self._momenta = [
            momentum if momentum is None else momentum.to(parameter, copy=True)
            for momentum, parameter in pairs
        ]
