"""Computes the alpha-beta divergence: Wang et al., "ABKD", ICML 2025, arXiv 2505.04560."""

from __future__ import annotations

import torch
from torch import Tensor

SMALL = 1e-3
"""Size below which a parameter is treated as one that may be 0."""


def abkd(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    *,
    a: float = 0.8,
    b: float = 0.3,
    temperature: float = 4.0,
) -> Tensor:
    r"""Measure how the softened predictions differ by a family that holds both KLs, for each sample.

    .. math::
        \ell = -\frac{1}{ab} \sum_k \Big[ p_k^a q_k^b
            - \frac{a}{a+b} p_k^{a+b} - \frac{b}{a+b} q_k^{a+b} \Big],
        \qquad p = \sigma(t / T), \quad q = \sigma(s / T)

    where a, b or a + b is 0 it is the limit: (1, 0) is KL(p || q) and KD without T^2, (0, 1) is KL(q || p),
    (0, 0) half the squared difference of the logarithms. There is no factor T^2: the weight of the term makes
    up for it. The released code has 1 / b in place of the limit's 1 / b^2 at a = 0, and 1 / a at b = 0.

    Args:
        student, teacher: logits s, t [N,K].
        target: labels [N]; not used.
        a, b: which member of the family; a large a + b looks at the likely classes, a small one at all.
        temperature: T > 0.

    Returns:
        Losses [N], at least 0.
    """
    log_p = (teacher / temperature).log_softmax(dim=-1)
    log_q = (student / temperature).log_softmax(dim=-1)
    if max(abs(a), abs(b)) < SMALL:
        return (log_q - log_p).square().sum(dim=-1) / 2
    if abs(a) < abs(b):  # the divergence is that from q to p with a and b exchanged
        log_p, log_q, a, b = log_q, log_p, b, a
    both = a + b
    of_p, of_both = both * log_p, torch.add(a * log_p, log_q, alpha=b)
    if min(abs(b), abs(both)) < SMALL:
        gap = log_q - log_p
        return (_quotient(of_p, gap, both) - _quotient(of_p, gap, b)).sum(dim=-1) / a
    start = of_p.exp()
    terms = torch.sub((both * log_q).exp() - start, of_both.exp() - start, alpha=both / b)
    return terms.sum(dim=-1) / (a * both)


def _quotient(start: Tensor, gap: Tensor, x: float) -> Tensor:
    """Return (exp(start + x gap) - exp(start)) / x, and its limit, exp(start) gap, where x is 0."""
    if x == 0:
        return start.exp() * gap
    if abs(x) < SMALL:
        return start.exp() * (x * gap).expm1() / x
    return ((start + x * gap).exp() - start.exp()) / x
