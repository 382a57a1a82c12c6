"""Updates weights by SGD or AdamW, over torch's own kernels, which leaves ``torch._dynamo`` alone.

``torch.optim`` imports it with its first optimiser, which costs every new process of a trial 2 to 4 seconds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from trainables.config.training import Training


def clip(gradients: Sequence[Tensor], norm: float) -> None:
    """Scale ``gradients`` in place, so that the norm of all of them together is at most ``norm``.

    Its numbers are those of ``torch.nn.utils.clip_grad_norm_``. Nothing waits for the device.
    """
    if gradients:
        torch._foreach_mul_(list(gradients), clipping(gradients, norm))


def clipping(gradients: Sequence[Tensor], norm: float) -> Tensor:
    """Return the factor, at most 1, by which :func:`clip` scales ``gradients``."""
    total: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients))))
    return (norm / (total + 1e-6)).clamp(max=1.0)


class Optimizer(ABC):
    """Moves weights by what :meth:`backward` computes, clipped where the training has a ``clip_norm``.

    State keeps its place in memory once it is there: a recorded step reads and writes it there.

    Attributes:
        lr: learning rate of the next step.
        passes: backward passes of a step.
    """

    passes = 1

    def __init__(self, parameters: Iterable[nn.Parameter], training: Training) -> None:
        self.lr: float = training.lr
        self._clip_norm = training.clip_norm
        self._parameters = list(parameters)

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    def backward(self, terms: Mapping[str, Tensor], scaled: Callable[[Tensor], Tensor]) -> None:
        """Compute the gradient of the sum of ``terms``, for the next :meth:`step`.

        Args:
            terms: of the loss; ``ce`` comes from the labels, all others from the teacher.
            scaled: what a group of processes makes of a loss on its share of a batch.
        """
        scaled(torch.stack(list(terms.values())).sum()).backward()  # type: ignore[no-untyped-call]

    @abstractmethod
    def gradients(self) -> list[Tensor]:
        """Return all gradients of the next step."""

    @abstractmethod
    def step(self, lr: Tensor | None = None) -> None:
        """Move each parameter that has a gradient.

        Args:
            lr: the rate as a scalar on the device, which a recorded step reads anew; :attr:`lr` if None.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget all steps, as before the first one."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return what a later step depends on, beside the parameters and the learning rate."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`; its tensors are copied to where the parameters are."""


class ByOneGradient(Optimizer):
    """Moves weights by the gradient g of the whole loss, clipped:
    g <- g * min(1, clip_norm / (norm of all gradients + 1e-6)).
    """

    def gradients(self) -> list[Tensor]:
        """Return all gradients of the next step."""
        return [parameter.grad for parameter in self._parameters if parameter.grad is not None]

    @torch.no_grad()
    def step(self, lr: Tensor | None = None) -> None:
        """Move each parameter that has a gradient."""
        moved = [place for place, parameter in enumerate(self._parameters) if parameter.grad is not None]
        gradients = self.gradients()
        if self._clip_norm is not None:
            clip(gradients, self._clip_norm)
        if moved:
            self.move(moved, gradients, self.lr if lr is None else lr)

    @abstractmethod
    def move(self, places: list[int], gradients: list[Tensor], lr: float | Tensor) -> None:
        """Move the parameters at ``places`` by their ``gradients``."""


class SGD(ByOneGradient):
    """Moves weights against their gradients, by the numbers and kernels of ``torch.optim.SGD(fused=True)``.

    With the gradient g of a weight w, clipped, and its momentum v, which begins as the first g:
    g <- g + weight_decay * w;  v <- momentum * v + g;  w <- w - lr * (g + momentum * v if nesterov else v).

    Example:
        >>> weight = nn.Parameter(torch.ones(1))
        >>> optimizer = SGD([weight], Training(lr=0.5, weight_decay=0.0))
        >>> weight.grad = torch.ones(1)
        >>> optimizer.step()
        >>> weight.item()
        0.5
    """

    def __init__(self, parameters: Iterable[nn.Parameter], training: Training, **changes: float) -> None:
        """Take the settings of ``training``, with ``changes`` to ``momentum`` or ``weight_decay``."""
        super().__init__(parameters, training)
        self._momenta: list[Tensor | None] = [None] * len(self._parameters)
        self._settings: dict[str, Any] = {
            "momentum": training.momentum,
            "weight_decay": training.weight_decay,
            "nesterov": training.nesterov,
            **changes,
        }

    def move(self, places: list[int], gradients: list[Tensor], lr: float | Tensor) -> None:
        """Move the parameters at ``places`` by their ``gradients``."""
        momenta = [self._momenta[place] for place in places]
        sgd(
            [self._parameters[place] for place in places],
            gradients,
            momenta,
            fused=True,
            lr=lr,
            dampening=0.0,
            maximize=False,
            **self._settings,
        )
        for place, momentum in zip(places, momenta, strict=True):
            self._momenta[place] = momentum

    def state_dict(self) -> dict[str, Any]:
        """Return the momentum of each parameter; None for one that was never moved."""
        return {"momenta": list(self._momenta)}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`; its tensors are copied to where the parameters are."""
        triples = zip(state["momenta"], self._momenta, self._parameters, strict=True)
        self._momenta = [
            momentum if momentum is None else _copied(momentum, into, parameter)
            for momentum, into, parameter in triples
        ]

    def reset(self) -> None:
        """Forget all steps: the first gradient follows as momentum * 0 + g."""
        for momentum in self._momenta:
            if momentum is not None:
                momentum.zero_()


def _copied(value: Tensor, into: Tensor | None, like: Tensor) -> Tensor:
    """Return ``value`` in the place of ``into``, or in a new one laid out as ``like``."""
    return (torch.empty_like(like) if into is None else into).copy_(value)


class AdamW(ByOneGradient):
    """Moves weights by means of their gradients, by the numbers of ``torch.optim.AdamW(fused=True)``.

    With the gradient g of a weight w, clipped, in its step t, and m = v = 0 before the first:
    w <- w * (1 - lr * weight_decay);  m <- beta1 * m + (1 - beta1) * g;  v <- beta2 * v + (1 - beta2) * g^2;
    w <- w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps).
    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019. As with SGD here, every
    parameter decays, biases and those of norms too.

    Example:
        >>> weight = nn.Parameter(torch.ones(1))
        >>> optimizer = AdamW([weight], Training(optimizer="adamw", lr=0.5, weight_decay=0.0))
        >>> weight.grad = torch.full((1,), 3.0)
        >>> optimizer.step()
        >>> round(weight.item(), 4)
        0.5
    """

    def __init__(self, parameters: Iterable[nn.Parameter], training: Training) -> None:
        super().__init__(parameters, training)
        self._means, self._squares = (
            [
                torch.zeros_like(parameter, memory_format=torch.preserve_format)
                for parameter in self._parameters
            ]
            for _ in range(2)
        )
        self._steps = [
            torch.zeros((), dtype=torch.float32, device=parameter.device) for parameter in self._parameters
        ]
        self._settings: dict[str, Any] = {
            "beta1": training.adam_beta1,
            "beta2": training.adam_beta2,
            "eps": training.adam_eps,
            "weight_decay": training.weight_decay,
        }

    def move(self, places: list[int], gradients: list[Tensor], lr: float | Tensor) -> None:
        """Move the parameters at ``places`` by their ``gradients``."""
        columns = (self._parameters, self._means, self._squares, self._steps)
        weights, means, squares, steps = ([column[place] for place in places] for column in columns)
        torch._foreach_add_(steps, 1)
        about = {"lr": lr, "amsgrad": False, "maximize": False, **self._settings}
        torch._fused_adamw_(weights, gradients, means, squares, [], steps, **about)

    def state_dict(self) -> dict[str, Any]:
        """Return the means of gradients and of their squares, and the number of steps, of each parameter."""
        return {"means": list(self._means), "squares": list(self._squares), "steps": list(self._steps)}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`; its tensors are copied to where the parameters are."""
        for name, own in (("means", self._means), ("squares", self._squares), ("steps", self._steps)):
            for mine, kept in zip(own, state[name], strict=True):
                mine.copy_(kept)

    def reset(self) -> None:
        """Forget all steps."""
        for state in (*self._means, *self._squares, *self._steps):
            state.zero_()
