from __future__ import annotations

import pytest
import torch

from tests.trainables.losses.conftest import gradient
from trainables.losses import logit_loss, scale_decoupled
from trainables.losses.lskd import standardised


def test_mean_and_spread() -> None:
    logits = 7 + 3 * torch.randn(4, 5, 30, dtype=torch.float64)
    found = standardised(logits)
    torch.testing.assert_close(found.mean(-1), torch.zeros(4, 5, dtype=torch.float64))
    torch.testing.assert_close(found.std(-1), torch.ones(4, 5, dtype=torch.float64))
    torch.testing.assert_close(standardised(found), found)


def test_a_scale_of_the_logits_is_not_seen() -> None:
    draw = torch.Generator().manual_seed(2)
    student, teacher = torch.randn(2, 6, 1, 12, generator=draw, dtype=torch.float64)
    target = torch.zeros(6, dtype=torch.long)
    kd = logit_loss("kd", temperature=2.0)
    loss = scale_decoupled(kd, student, teacher, target, standardize="region")
    scaled = scale_decoupled(kd, 9 * student + 4, 0.1 * teacher, target, standardize="region")
    torch.testing.assert_close(scaled, loss, rtol=1e-5, atol=0)


@pytest.mark.parametrize("level", [0.0, 0.1, -1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_equal_logits_are_uniform_and_finite(dtype: torch.dtype, level: float) -> None:
    student = torch.full((3, 2, 20), level, dtype=dtype, requires_grad=True)
    teacher = torch.randn(3, 2, 20, generator=torch.Generator().manual_seed(4)).to(dtype)
    target = torch.tensor([0, 1, 2])
    for how in ("region", "whole"):
        loss = scale_decoupled(logit_loss("kd"), student, teacher, target, standardize=how)
        flat = scale_decoupled(logit_loss("kd"), torch.zeros_like(student), standardised(teacher), target)
        assert torch.isfinite(gradient(loss, student)).all()
        if how == "region":
            torch.testing.assert_close(loss, flat, rtol=1e-4, atol=1e-5)


def test_two_classes_keep_their_order_alone() -> None:
    found = standardised(torch.tensor([[3.0, 1.0], [-2.0, 90.0]]))
    torch.testing.assert_close(found, torch.tensor([[1.0, -1.0], [-1.0, 1.0]]) / 2**0.5)
