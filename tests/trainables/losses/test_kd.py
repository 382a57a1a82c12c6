from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainables.losses.conftest import Reference, gradient
from trainables.losses import logit_loss
from trainables.losses.kd import kd


@pytest.mark.parametrize("case", ["m12", "m124"])
def test_agrees_with_the_released_code(reference: Reference, case: str) -> None:
    student = reference.regions(f"{case}/student_regions")[:, 0].clone().requires_grad_()
    teacher = reference.regions(f"{case}/teacher_regions")[:, 0]
    loss = logit_loss("kd", temperature=4.0)(student, teacher, reference.tensor(f"{case}/target")).mean()
    assert loss.item() == pytest.approx(reference.value(f"{case}/kd_T4"), rel=1e-5)
    torch.testing.assert_close(
        gradient(loss, student), reference.tensor(f"{case}/kd_T4/grad"), rtol=1e-5, atol=1e-5
    )


def test_two_classes_by_hand() -> None:
    # T = 2 turns the logits (0, 2 log 3) into probabilities (1/4, 3/4); the student says (1/2, 1/2).
    teacher = torch.tensor([[0.0, 2 * math.log(3)]], dtype=torch.float64)
    loss = kd(torch.zeros(1, 2, dtype=torch.float64), teacher, torch.tensor([0]), temperature=2.0)
    assert loss.item() == pytest.approx(4 * (0.25 * math.log(0.5) + 0.75 * math.log(1.5)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.5, 20), st.floats(0.1, 30), st.integers(2, 12))
def test_is_never_negative_and_zero_only_for_equal_predictions(
    seed: int, temperature: float, spread: float, classes: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    student = spread * torch.randn(5, classes, generator=draw, dtype=torch.float64)
    teacher = spread * torch.randn(5, classes, generator=draw, dtype=torch.float64)
    target = torch.zeros(5, dtype=torch.long)
    loss = kd(student, teacher, target, temperature=temperature)
    # Pinsker's inequality: KL is at least half the square of the summed differences.
    gap = ((student / temperature).softmax(1) - (teacher / temperature).softmax(1)).abs().sum(1)
    assert (loss >= temperature**2 * gap**2 / 2 - 1e-12).all()
    assert gap.max() > 0
    # A constant added to all logits of a sample changes no prediction.
    same = kd(teacher + 3.5, teacher, target, temperature=temperature)
    torch.testing.assert_close(same, torch.zeros_like(same), atol=1e-9, rtol=0)
