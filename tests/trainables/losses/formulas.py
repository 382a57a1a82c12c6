"""Each logit loss as its paper writes it, image by image, with masks and logarithms, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Row = Callable[..., Tensor]


def log_softmax_of(logits: Tensor, kept: Tensor) -> Tensor:
    """[K] and a mask -> log-probabilities over the classes of the mask alone."""
    chosen = logits[kept]
    return chosen - chosen.logsumexp(0)


def kl(teacher: Tensor, student: Tensor, kept: Tensor | None = None) -> Tensor:
    """KL between two predictions over the classes of a mask; 0 over none."""
    kept = torch.ones_like(teacher, dtype=torch.bool) if kept is None else kept
    if not kept.any():
        return teacher.new_zeros(())
    log_p, log_q = log_softmax_of(teacher, kept), log_softmax_of(student, kept)
    return (log_p.exp() * (log_p - log_q)).sum()


def of_sets(logits: Tensor, sets: list[Tensor]) -> Tensor:
    """Logits of sets of classes: a softmax over them gives their probabilities."""
    return torch.stack([logits[kept].logsumexp(0) for kept in sets])


def mask(classes: Any, like: Tensor) -> Tensor:
    kept = torch.zeros_like(like, dtype=torch.bool)
    kept[classes] = True
    return kept


def kd(s: Tensor, t: Tensor, y: int, *, temperature: float = 4.0) -> Tensor:
    return temperature**2 * kl(t / temperature, s / temperature)


def dkd(s: Tensor, t: Tensor, y: int, *, alpha: float = 1, beta: float = 8, temperature: float = 4) -> Tensor:
    label = mask(y, t)
    s, t = s / temperature, t / temperature
    of_target = kl(of_sets(t, [label, ~label]), of_sets(s, [label, ~label]))
    return temperature**2 * (alpha * of_target + beta * kl(t, s, ~label))


def nkd(s: Tensor, t: Tensor, y: int, *, temperature: float = 1, gamma: float = 1.5) -> Tensor:
    others = ~mask(y, t)
    log_p, log_q = log_softmax_of(t / temperature, others), log_softmax_of(s / temperature, others)
    of_others = -(log_p.exp() * log_q).sum()
    of_label = -(t.log_softmax(0)[y].exp() * s.log_softmax(0)[y])
    return of_label + gamma * temperature**2 * of_others


def rld(
    s: Tensor,
    t: Tensor,
    y: int,
    *,
    alpha: float = 1,
    beta: float = 8,
    temperature: float = 4,
    top_temperature: float = 1,
) -> Tensor:
    top, label = mask(t.argmax(), t), mask(y, t)
    sure = kl(of_sets(t / top_temperature, [top, ~top]), of_sets(s / top_temperature, [label, ~label]))
    refined = kl(t / temperature, s / temperature, t < t[y])
    return alpha * top_temperature**2 * sure + beta * temperature**2 * refined


def ttm(s: Tensor, t: Tensor, y: int, *, gamma: float = 0.1) -> Tensor:
    return kl(gamma * t, s)


def wttm(s: Tensor, t: Tensor, y: int, *, gamma: float = 0.1) -> Tensor:
    return t.softmax(0).pow(gamma).sum() * kl(gamma * t, s)


def normkd(s: Tensor, t: Tensor, y: int, *, temperature: float = 2.0) -> Tensor:
    a, b = temperature * t.std(), temperature * s.std()
    return a**2 * kl(t / (a if a else 1), s / (b if b else 1))


def gdkd(
    s: Tensor,
    t: Tensor,
    y: int,
    *,
    top: int = 5,
    group_weight: float = 1,
    top_weight: float = 1,
    rest_weight: float = 8,
    temperature: float = 4,
    apart: int = 0,
) -> Tensor:
    order = t.argsort(descending=True)
    s, t = s / temperature, t / temperature
    sets = [mask(order[:apart], t), mask(order[apart:top], t), mask(order[top:], t)]
    filled = [kept for kept in sets if kept.any()]
    of_groups = kl(of_sets(t, filled), of_sets(s, filled))
    parts = group_weight * of_groups + top_weight * kl(t, s, sets[1]) + rest_weight * kl(t, s, sets[2])
    return temperature**2 * parts


def gdkd3(s: Tensor, t: Tensor, y: int, *, top: int = 4, **options: float) -> Tensor:
    return gdkd(s, t, y, top=top, apart=1, **options)


def abkd(s: Tensor, t: Tensor, y: int, *, a: float = 0.8, b: float = 0.3, temperature: float = 4) -> Tensor:
    p, q = (t / temperature).softmax(0), (s / temperature).softmax(0)
    terms = p.pow(a) * q.pow(b) - a / (a + b) * p.pow(a + b) - b / (a + b) * q.pow(a + b)
    return -terms.sum() / (a * b)


def ldrld(
    s: Tensor,
    t: Tensor,
    y: int,
    *,
    alpha: float = 10.5,
    beta: float = 7,
    top: int = 7,
    temperature: float = 4,
) -> Tensor:
    order = s.argsort(descending=True)
    top = min(top, len(s))
    s, t = s / temperature, t / temperature
    local, count = kl(t, s, mask(order[:top], t)), 1
    for i in range(1, top + 1):
        for j in range(i + 1, top + 1):
            weight = 2 / (1.5 + j - i) * math.exp(-0.05 * (i + j))
            local, count = local + weight * kl(t, s, mask(order[[i - 1, j - 1]], t)), count + 1
    return temperature**2 * (alpha * local / count + beta * kl(t, s, mask(order[top:], t)))


def ofa(s: Tensor, t: Tensor, y: int, *, exponent: float = 1.5, temperature: float = 1) -> Tensor:
    p, log_q = (t / temperature).softmax(0), (s / temperature).log_softmax(0)
    label = mask(y, t).double()
    return -(((p + label).pow(exponent) - label) * log_q).sum()


def swap(s: Tensor, t: Tensor, y: int, *, temperature: float = 4.0) -> Tensor:
    corrected, top = t.clone(), int(t.argmax())
    corrected[y], corrected[top] = t[top], t[y]
    return kd(s, corrected, y, temperature=temperature)


def crld(
    s: Tensor,
    t: Tensor,
    y: int,
    *,
    temperature: float = 4,
    within_weight: float = 2,
    across_weight: float = 0.5,
    weak_confidence: float = 0.9,
    strong_confidence: float = 0.2,
) -> Tensor:
    """Of an image whose two views are alike: all four pairs of views are one."""
    sure = float(t.softmax(0).max())
    weight = within_weight * (sure >= weak_confidence) + across_weight * (sure >= strong_confidence)
    return 2 * weight * kd(s, t, y, temperature=temperature)


def dist(
    s: Tensor, t: Tensor, *, inter_weight: float = 2, intra_weight: float = 2, temperature: float = 4
) -> Tensor:
    """[B,K] -> [B]: the one loss that sees its batch."""

    def rho(one: Tensor, other: Tensor) -> Tensor:
        one, other = one - one.mean(), other - other.mean()
        return (one * other).sum() / (one.norm() * other.norm() + 1e-8)

    p, q = (t / temperature).softmax(1), (s / temperature).softmax(1)
    of_images = torch.stack([rho(q[b], p[b]) for b in range(len(q))])
    of_classes = torch.stack([rho(q[:, k], p[:, k]) for k in range(q.shape[1])]).mean()
    return temperature**2 * (inter_weight * (1 - of_images) + intra_weight * (1 - of_classes))


def mlkd(s: Tensor, t: Tensor, *, temperature: float = 4) -> Tensor:
    """[B,K] -> [B] of images whose two views are alike: what is of strong views is of weak ones."""
    sure = t.softmax(1)
    images, classes = (
        (values <= values.quantile(0.5)).double().mean() for values in (sure.amax(1), sure.sum(0))
    )
    total = torch.zeros(len(s), dtype=s.dtype)
    for degrees in (temperature, 2, 3, 5, 6):
        same = torch.stack([kd(one, other, 0, temperature=degrees) for one, other in zip(s, t, strict=True)])
        p, q = (t / degrees).softmax(1), (s / degrees).softmax(1)
        of_images = ((p @ p.T - q @ q.T) ** 2).sum(1)
        of_classes = ((p.T @ p - q.T @ q) ** 2).sum() / s.shape[1]
        total = total + (1 + images) * same + images * of_images + classes * of_classes
    return total


ROWS: dict[str, Row] = {
    row.__name__: row
    for row in (kd, dkd, nkd, rld, ttm, wttm, normkd, gdkd, gdkd3, abkd, ldrld, ofa, crld, swap)
}  # fmt: skip


BATCHES: dict[str, Row] = {"dist": dist, "mlkd": mlkd}
"""Those that see a batch."""


def losses(name: str, student: Tensor, teacher: Tensor, target: Tensor, **options: Any) -> Tensor:
    """[N,K] -> [N] of the loss ``name``, in float64."""
    s, t = student.double(), teacher.double()
    if name in BATCHES:
        return BATCHES[name](s, t, **options)
    rows = zip(s, t, target.tolist(), strict=True)
    return torch.stack([ROWS[name](one, other, y, **options) for one, other, y in rows])
