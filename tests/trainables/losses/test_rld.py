from __future__ import annotations

import torch
from torch import Tensor

from tests.trainables.losses.conftest import gradient
from trainables.losses import logit_loss


def _wrong_teacher() -> tuple[Tensor, Tensor, Tensor]:
    """The teacher names class 3; the label is 1, and classes 0 and 4 lie below it."""
    teacher = torch.tensor([[0.5, 1.0, 2.0, 3.0, -1.0]], dtype=torch.float64)
    student = torch.tensor([[0.2, -0.4, 0.9, 1.5, 0.3]], dtype=torch.float64)
    return student, teacher, torch.tensor([1])


def test_by_hand() -> None:
    student, teacher, target = _wrong_teacher()
    p, q = teacher.softmax(1)[0, 3], student.softmax(1)[0, 1]
    sure = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    below_t, below_s = ((x[0, [0, 4]] / 4).softmax(0) for x in (teacher, student))
    below = (below_t * (below_t / below_s).log()).sum()
    loss = logit_loss("rld")(student, teacher, target)
    torch.testing.assert_close(loss[0], sure + 8 * 16 * below)


def test_what_a_wrong_teacher_puts_above_the_label_is_not_taught() -> None:
    student, teacher, target = _wrong_teacher()
    grad = gradient(logit_loss("rld", alpha=0.0)(student.requires_grad_(), teacher, target).sum(), student)
    assert (grad[0, [1, 2, 3]] == 0).all()
    assert (grad[0, [0, 4]] != 0).all()


def test_a_label_ranked_lowest_leaves_the_second_part_empty() -> None:
    student, teacher, _ = _wrong_teacher()
    target = torch.tensor([4])
    for dtype in (torch.float32, torch.float64):
        logits = student.to(dtype).requires_grad_()
        loss = logit_loss("rld", alpha=0.0)(logits, teacher.to(dtype), target)
        assert loss.item() == 0
        assert gradient(loss.sum(), logits).abs().max() <= 8 * torch.finfo(dtype).eps


def test_long_odds_keep_their_loss_and_gradient_in_float32() -> None:
    teacher = torch.tensor([[60.0, 0.0, 0.0]])
    student = torch.tensor([[0.0, 50.0, 0.0]], requires_grad=True)
    loss = logit_loss("rld", beta=0.0)(student, teacher, torch.tensor([0]))
    assert loss.item() == torch.tensor(50.0).item()
    torch.testing.assert_close(gradient(loss.sum(), student), torch.tensor([[-1.0, 1.0, 0.0]]))
