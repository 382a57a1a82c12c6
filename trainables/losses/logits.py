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
    and gives [G,B]; [N,K] is one group.

    >>> import torch
    >>> loss, logits, target = logit_loss("kd", temperature=2.0), torch.eye(3), torch.arange(3)
    >>> loss(logits, logits, target).tolist()
    [0.0, 0.0, 0.0]
    """

    def __init__(
        self, name: str, function: LogitFunction, options: dict[str, Value], *, grouped: bool = False
    ) -> None:
        self.name = name
        self.options = options
        self.grouped = grouped
        self._function = function

    def __call__(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        if self.grouped and student.ndim == teacher.ndim == 2 and target.ndim == 1:
            return self(student.unsqueeze(0), teacher.unsqueeze(0), target.unsqueeze(0)).squeeze(0)
        rows = "G,B" if self.grouped else "N"
        shaped = student.ndim == (3 if self.grouped else 2) and student.shape == teacher.shape
        if not shaped or target.shape != student.shape[:-1]:
            raise LossError(
                f"{self.name}: student {tuple(student.shape)} and teacher {tuple(teacher.shape)} must both "
                f"be [{rows},K] and target {tuple(target.shape)} [{rows}]"
            )
        loss = self._function(
            full_precision(student), full_precision(teacher.detach()), target, **self.options
        )
        if loss.shape != target.shape:
            raise LossError(
                f"{self.name}: the loss must be one number a sample, {tuple(target.shape)}; "
                f"the function gave {tuple(loss.shape)}"
            )
        return loss

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
    return LogitLoss(name, source, values, grouped=not spec.per_sample)
