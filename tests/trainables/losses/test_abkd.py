from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.trainables.losses import formulas
from tests.trainables.losses.conftest import gradient
from trainables.losses import logit_loss


def _batch() -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(5)
    student, teacher = 4 * torch.randn(2, 6, 9, generator=draw, dtype=torch.float64)
    return student, teacher, torch.zeros(6, dtype=torch.long)


def _limits() -> dict[tuple[float, float], Tensor]:
    student, teacher, _ = _batch()
    log_p, log_q = (teacher / 4).log_softmax(1), (student / 4).log_softmax(1)
    p, q, u = log_p.exp(), log_q.exp(), log_q - log_p
    return {
        (1.0, 0.0): (p * -u).sum(1),
        (0.0, 1.0): (q * u).sum(1),
        (0.0, 0.0): u.square().sum(1) / 2,
        (0.5, 0.0): 4 * (p.sqrt() * -u / 2 - p.sqrt() + q.sqrt()).sum(1),
        (0.0, 0.5): 4 * (q.sqrt() * u / 2 - q.sqrt() + p.sqrt()).sum(1),
        (0.5, -0.5): 4 * ((-u / 2).exp() - 1 + u / 2).sum(1),
        (-0.5, 0.5): 4 * ((u / 2).exp() - 1 - u / 2).sum(1),
    }


@pytest.mark.parametrize("at", _limits())
def test_limits_at_zero(at: tuple[float, float]) -> None:
    a, b = at
    batch = _batch()
    expected = _limits()[at]
    torch.testing.assert_close(logit_loss("abkd", a=a, b=b)(*batch), expected, rtol=1e-12, atol=1e-12)
    # ... and are what the formula comes to near them, in value and in gradient.
    near = formulas.losses("abkd", *batch, a=a + 1e-6, b=b + 2e-6)
    torch.testing.assert_close(near, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("at", _limits())
@pytest.mark.parametrize("step", [1e-2, 1e-3, 9e-4, 1e-5])
def test_is_continuous_where_the_formula_changes(at: tuple[float, float], step: float) -> None:
    student, teacher, target = _batch()
    student.requires_grad_()
    a, b = at
    near = logit_loss("abkd", a=a + step, b=b + step)(student, teacher, target)
    limit = logit_loss("abkd", a=a, b=b)(student, teacher, target)
    slack = 20 * step
    torch.testing.assert_close(near, limit, rtol=slack, atol=slack)
    torch.testing.assert_close(
        gradient(near.sum(), student), gradient(limit.sum(), student), rtol=slack, atol=slack
    )


@pytest.mark.parametrize("b", [1e-2, 1e-4, -1e-4, -0.3])
def test_float32_is_near_float64_for_small_exponents(b: float) -> None:
    student, teacher, target = _batch()
    exact = logit_loss("abkd", a=0.9, b=b)(student, teacher, target)
    single = logit_loss("abkd", a=0.9, b=b)(student.float(), teacher.float(), target)
    torch.testing.assert_close(single.double(), exact, rtol=1e-4, atol=1e-4)


def test_the_first_limit_is_kd_without_the_squared_temperature() -> None:
    batch = _batch()
    torch.testing.assert_close(16 * logit_loss("abkd", a=1.0, b=0.0)(*batch), logit_loss("kd")(*batch))


@pytest.mark.parametrize(("a", "b"), [(0.3, 0.5), (1.3, -0.5), (0.5, 0.5), (1.2, 0.1)])
def test_is_never_negative(a: float, b: float) -> None:
    student, teacher, target = _batch()
    loss = logit_loss("abkd", a=a, b=b)
    assert (loss(student, teacher, target) > 0).all()
    torch.testing.assert_close(loss(teacher, teacher, target), torch.zeros(6, dtype=torch.float64))
