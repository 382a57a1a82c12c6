"""Makes logit losses by name: the one place that settles precision, the teacher's gradient and shapes."""

from __future__ import annotations

import importlib
from typing import Any

from torch import Tensor

from trainables.losses.catalog import LogitFunction
from trainables.losses.options import LossError, Value
from trainables.losses.precision import full_precision
from trainables.losses.registry import check_logit_loss, logit_loss_spec


class LogitLoss:
    """Carries a named loss with its options bound: (student [N,K], teacher [N,K], target [N]) -> [N].

    Both logits are taken to float32 (float64 stays), and no gradient reaches the teacher's. Rows do not see
    each other, unless the loss is ``grouped``: such a one takes groups of images, [G,B,K] with target [G,B],
    and gives [G,B]; [N,K] is one group. One of two views takes [2,N,K], the weak view first; [N,K] are images
    of which both views are alike.

    >>> import torch
    >>> loss, logits, target = logit_loss("kd", temperature=2.0), torch.eye(3), torch.arange(3)
    >>> loss(logits, logits, target).tolist()
    [0.0, 0.0, 0.0]
    """

    def __init__(
        self,
        name: str,
        function: LogitFunction,
        options: dict[str, Value],
        *,
        grouped: bool = False,
        views: int = 1,
    ) -> None:
        self.name = name
        self.options = options
        self.grouped = grouped
        self.views = views
        self._function = function

    def __call__(self, student: Tensor, teacher: Tensor, target: Tensor, *plain: Tensor) -> Tensor:
        """Return the loss of each row.

        Args:
            plain: both logits as they are where ``student`` and ``teacher`` are standardised; losses of two
                views want them.
        """
        both: tuple[Tensor, ...] = (student, teacher, *plain)
        if self.grouped and target.ndim == 1 and all(logits.ndim in (2, 1 + self.views) for logits in both):
            one, other, *rest = (logits.unsqueeze(-3) for logits in both)
            return self(one, other, target.unsqueeze(0), *rest).squeeze(0)
        if self.views == 2 and all(logits.ndim == target.ndim + 1 for logits in both):
            both = tuple(logits.expand(2, *logits.shape) for logits in both)
        self._check(both[0], both[1], target)
        given = [full_precision(logits.detach() if of % 2 else logits) for of, logits in enumerate(both)]
        as_they_are = given[-2:] if self.views == 2 else ()
        loss = self._function(*given[:2], target, *as_they_are, **self.options)
        if loss.shape != target.shape:
            raise LossError(
                f"{self.name}: the loss must be one number a sample, {tuple(target.shape)}; "
                f"the function gave {tuple(loss.shape)}"
            )
        return loss

    def _check(self, student: Tensor, teacher: Tensor, target: Tensor) -> None:
        rows, views = ("G,B" if self.grouped else "N"), (() if self.views == 1 else (self.views,))
        shaped = target.ndim == (2 if self.grouped else 1) and student.shape == teacher.shape
        if not shaped or student.shape[:-1] != (*views, *target.shape):
            wanted = ",".join([*map(str, views), rows, "K"])
            raise LossError(
                f"{self.name}: student {tuple(student.shape)} and teacher {tuple(teacher.shape)} must both "
                f"be [{wanted}] and target {tuple(target.shape)} [{rows}]"
            )

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"logit_loss({self.name!r}, {options})"


def logit_loss(name: str, **options: Any) -> LogitLoss:
    """Return the logit loss ``name``, built in or registered, times T^2 where its paper has it.

    >>> logit_loss("dkd", beta=6.0)
    logit_loss('dkd', alpha=1.0, beta=6.0, temperature=4.0)
    """
    values = check_logit_loss(name, options)
    spec = logit_loss_spec(name)
    source = spec.source
    if isinstance(source, str):
        module, attribute = source.split(":")
        source = getattr(importlib.import_module(module), attribute)
    return LogitLoss(name, source, values, grouped=not spec.per_sample, views=spec.views)
