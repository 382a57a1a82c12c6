from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from tests.trainables.losses.conftest import Reference, gradient
from trainables.losses import logit_loss
from trainables.losses.nkd import nkd


@pytest.mark.parametrize("case", ["m12", "m124"])
def test_as_released_agrees_with_the_released_code(reference: Reference, case: str) -> None:
    student = reference.regions(f"{case}/student_regions")[:, 0].clone().requires_grad_()
    teacher = reference.regions(f"{case}/teacher_regions")[:, 0]
    target = reference.tensor(f"{case}/target")
    loss = logit_loss("nkd", as_released=True)(student, teacher, target).mean()
    name = f"{case}/nkd_released_T1_g1.5"
    assert loss.item() == pytest.approx(reference.value(name), rel=1e-5)
    torch.testing.assert_close(
        gradient(loss, student), reference.tensor(f"{name}/grad"), rtol=1e-5, atol=1e-5
    )
    published = logit_loss("nkd")(student, teacher, target).mean().item()
    assert abs(published - loss.item()) > 0.1


def test_three_classes_by_hand() -> None:
    # Probabilities (1/6, 1/3, 1/2) for the teacher, (1/2, 1/4, 1/4) for the student, label 2; without the
    # label (1/3, 2/3) and (2/3, 1/3).
    teacher = torch.tensor([[1.0, 2.0, 3.0]]).log().double()
    student = torch.tensor([[2.0, 1.0, 1.0]]).log().double()
    expected = 0.5 * math.log(4) - 1.5 * (math.log(2 / 3) / 3 + 2 * math.log(1 / 3) / 3)
    assert nkd(student, teacher, torch.tensor([2])).item() == pytest.approx(expected, rel=1e-6)


def test_against_classes_taken_out_one_by_one(generator: torch.Generator) -> None:
    student, teacher = 2 * torch.randn(2, 5, 6, generator=generator, dtype=torch.float64)
    target = torch.tensor([0, 5, 2, 2, 3])
    for i, y in enumerate(target.tolist()):
        others = [k for k in range(6) if k != y]
        label = -teacher[i].softmax(0)[y] * student[i].log_softmax(0)[y]
        rest = F.cross_entropy(student[i, others] / 3, (teacher[i, others] / 3).softmax(0))
        loss = nkd(student[[i]], teacher[[i]], target[[i]], temperature=3.0, gamma=0.7)
        assert loss.item() == pytest.approx((label + 0.7 * 9 * rest).item())
