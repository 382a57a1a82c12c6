from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainables.losses import logit_loss


@pytest.fixture
def batch(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    student, teacher = 3 * torch.randn(2, 6, 9, generator=generator, dtype=torch.float64)
    return student, teacher, teacher.argmax(dim=1)


@pytest.mark.parametrize("top", [1, 3, 8])
def test_is_kd_when_sets_have_the_teachers_weights(batch: tuple[Tensor, Tensor, Tensor], top: int) -> None:
    student, teacher, target = batch
    in_top = (teacher / 4).softmax(1).sort(dim=1, descending=True).values[:, :top].sum(1)
    for i in range(6):
        row = student[[i]], teacher[[i]], target[[i]]
        weights = {"top_weight": float(in_top[i]), "rest_weight": float(1 - in_top[i])}
        torch.testing.assert_close(logit_loss("gdkd", top=top, **weights)(*row), logit_loss("kd")(*row))


def test_with_one_class_and_a_teacher_that_is_right_it_is_dkd(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    torch.testing.assert_close(logit_loss("gdkd", top=1)(*batch), logit_loss("dkd")(*batch))
    torch.testing.assert_close(logit_loss("gdkd3", top=1)(*batch), logit_loss("dkd")(*batch))


@pytest.mark.parametrize("top", [9, 50])
def test_with_all_classes_in_the_top_it_is_kd(batch: tuple[Tensor, Tensor, Tensor], top: int) -> None:
    torch.testing.assert_close(logit_loss("gdkd", top=top)(*batch), logit_loss("kd")(*batch))
    first = logit_loss("gdkd3", top=top, top_weight=8.0)(*batch)
    torch.testing.assert_close(first, logit_loss("dkd")(*batch))


def test_labels_do_not_matter(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    student, teacher, target = batch
    for name in ("gdkd", "gdkd3"):
        loss = logit_loss(name)
        torch.testing.assert_close(loss(student, teacher, target), loss(student, teacher, 8 - target))
