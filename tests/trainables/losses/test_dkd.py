from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.trainables.losses.conftest import Reference, gradient
from trainables.losses import logit_loss
from trainables.losses.dkd import dkd
from trainables.losses.kd import kd


def _batch(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    student, teacher = 3 * torch.randn(2, 6, 7, generator=generator, dtype=torch.float64)
    return student, teacher, torch.arange(6)


@pytest.mark.parametrize("case", ["m12", "m124"])
def test_agrees_with_the_released_code(reference: Reference, case: str) -> None:
    student = reference.regions(f"{case}/student_regions")[:, 0].clone().requires_grad_()
    teacher = reference.regions(f"{case}/teacher_regions")[:, 0]
    loss = logit_loss("dkd")(student, teacher, reference.tensor(f"{case}/target")).mean()
    assert loss.item() == pytest.approx(reference.value(f"{case}/dkd_a1_b8_T4"), rel=1e-5)
    expected = reference.tensor(f"{case}/dkd_a1_b8_T4/grad")
    torch.testing.assert_close(gradient(loss, student), expected, rtol=1e-5, atol=1e-5)


def test_is_kd_when_beta_is_what_the_teacher_leaves_to_the_other_classes(generator: torch.Generator) -> None:
    student, teacher, target = _batch(generator)
    rest = 1 - (teacher / 4).softmax(1).gather(1, target[:, None]).squeeze(1)
    decoupled = torch.stack(
        [dkd(student[[i]], teacher[[i]], target[[i]], beta=float(rest[i]))[0] for i in range(6)]
    )
    torch.testing.assert_close(decoupled, kd(student, teacher, target))


def test_the_part_over_other_classes_does_not_see_the_label_logit(generator: torch.Generator) -> None:
    student, teacher, target = _batch(generator)
    moved = student.clone()
    moved[torch.arange(6), target] += 5
    only_others = dkd(student, teacher, target, alpha=0.0, beta=1.0)
    torch.testing.assert_close(dkd(moved, teacher, target, alpha=0.0, beta=1.0), only_others)
    assert (dkd(moved, teacher, target) - dkd(student, teacher, target)).abs().min() > 1e-3


def test_confident_predictions_stay_finite_and_exact_in_float32() -> None:
    # Both give the label a probability that float32 rounds to 1; log(1 - p) must not be log(0).
    teacher = torch.tensor([[60.0, 0.0, 0.0]])
    student = torch.tensor([[50.0, 0.0, 0.0]], requires_grad=True)
    loss = dkd(student, teacher, torch.tensor([0]), temperature=1.0, alpha=1e20, beta=0.0)
    # KL over (label, rest) with rest = 2 exp(-60) against 2 exp(-50): about rest_s - rest_t - 10 rest_t.
    rest_teacher, rest_student = 2 * math.exp(-60), 2 * math.exp(-50)
    assert gradient(loss.sum(), student)[0, 0].item() == pytest.approx(
        1e20 * (rest_teacher - rest_student), rel=1e-3
    )
    assert math.isfinite(loss.item())
