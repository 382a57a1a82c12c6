"""Updates weights by DOT: Zhao et al., "DOT: A Distillation-Oriented Trainer", ICCV 2023."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainables.config.training import Training
from trainables.engine.optimizer import SGD, Optimizer, clipping


class DOT(Optimizer):
    r"""Moves weights by two momenta, a longer one for what comes from the teacher.

    With a weight's gradients g_ce of the labels' cross-entropy and g_kd of all other terms, the momentum m
    and d = ``dot_delta``:
    v_ce <- (m - d) * v_ce + g_ce + weight_decay * w;  v_kd <- (m + d) * v_kd + g_kd;
    w <- w - lr * (v_ce + v_kd).

    As in the released code a weight that one of the two alone reaches, such as a feature loss's own, moves
    by SGD with momentum m; so do all where nothing comes from a teacher. (There such weights of the teacher's
    side do not decay in their first step; here they do.) A step takes two backward passes. Where a norm
    clips, it is that of g_ce + g_kd, and both are scaled alike.

    Example:
        >>> weight = nn.Parameter(torch.ones(1))
        >>> optimizer = DOT([weight], Training(optimizer="dot", lr=0.5, weight_decay=0.0))
        >>> optimizer.backward({"ce": weight.sum(), "logit": 2 * weight.sum()}, lambda loss: loss)
        >>> optimizer.step()
        >>> weight.item()
        -0.5
    """

    passes = 2

    def __init__(self, parameters: Iterable[nn.Parameter], training: Training) -> None:
        super().__init__(parameters, training)
        m, d = training.momentum, training.dot_delta
        self._moves = {
            "labels": SGD(self._parameters, training, momentum=m - d),
            "teacher": SGD(self._parameters, training, momentum=m + d, weight_decay=0.0),
            "either": SGD(self._parameters, training),
        }
        self._of_teacher: list[Tensor | None] = [None] * len(self._parameters)

    def zero_grad(self) -> None:
        """Drop all gradients."""
        super().zero_grad()
        self._of_teacher = [None] * len(self._parameters)

    def backward(self, terms: Mapping[str, Tensor], scaled: Callable[[Tensor], Tensor]) -> None:
        """Compute the gradient of what comes from the teacher, and that of ``ce``."""
        rest = {name: term for name, term in terms.items() if name != "ce"}
        if rest:
            scaled(torch.stack(list(rest.values())).sum()).backward(retain_graph=True)  # type: ignore[no-untyped-call]
            of_teacher = [parameter.grad for parameter in self._parameters]
            self.zero_grad()
            self._of_teacher = of_teacher
        scaled(terms["ce"]).backward()  # type: ignore[no-untyped-call]

    def gradients(self) -> list[Tensor]:
        """Return all gradients of the next step, those of the labels first."""
        of_labels = [parameter.grad for parameter in self._parameters]
        return [grad for grad in (*of_labels, *self._of_teacher) if grad is not None]

    @torch.no_grad()
    def step(self, lr: Tensor | None = None) -> None:
        """Move each parameter that has a gradient."""
        labels = [parameter.grad for parameter in self._parameters]
        pairs = list(enumerate(zip(labels, self._of_teacher, strict=True)))
        both = {at: (a, b) for at, (a, b) in pairs if a is not None and b is not None}
        one = {
            at: found
            for at, (a, b) in pairs
            if at not in both and (found := b if a is None else a) is not None
        }
        if self._clip_norm is not None and (both or one):
            factor = clipping([*(a + b for a, b in both.values()), *one.values()], self._clip_norm)
            torch._foreach_mul_(self.gradients(), factor)
        rate = self.lr if lr is None else lr
        for name, moved in (
            ("labels", {at: a for at, (a, _) in both.items()}),
            ("teacher", {at: b for at, (_, b) in both.items()}),
            ("either", one),
        ):
            if moved:
                self._moves[name].move(list(moved), list(moved.values()), rate)

    def state_dict(self) -> dict[str, Any]:
        """Return the momenta of each parameter: labels', teacher's, and that where one alone reaches it."""
        return {name: move.state_dict()["momenta"] for name, move in self._moves.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`; its tensors are copied to where the parameters are."""
        for name, move in self._moves.items():
            move.load_state_dict({"momenta": state[name]})

    def reset(self) -> None:
        """Forget all steps."""
        for move in self._moves.values():
            move.reset()
