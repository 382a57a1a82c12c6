from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.trainables.losses.pairs import batch, make_loss
from trainables.losses.at import attention_transfer


def test_one_image_of_two_positions_by_hand() -> None:
    # Mean squares over channels: student (9, 12.5) -> teacher (4, 3), each to length 1.
    student = torch.tensor([[[[3.0, 3.0]], [[3.0, 4.0]]]])
    teacher = torch.tensor([[[[2.0, 3.0**0.5]]]])
    s, t = torch.tensor([9, 12.5]), torch.tensor([4.0, 3.0])
    expected = (s / s.norm() - t / 5).square().mean()
    torch.testing.assert_close(attention_transfer([student], [teacher]), expected)


def _pooled_by_hand(x: Tensor) -> Tensor:
    b, c, h, w = x.shape
    return x.view(b, c, h // 2, 2, w // 2, 2).mean((3, 5))


@pytest.mark.parametrize("student_is_larger", [True, False])
def test_the_larger_map_is_pooled_first(student_is_larger: bool) -> None:
    large, small = torch.rand(3, 4, 6, 6), torch.rand(3, 5, 3, 3)
    pair = ([large], [small]) if student_is_larger else ([small], [large])
    torch.testing.assert_close(
        attention_transfer(*pair), attention_transfer([_pooled_by_hand(large)], [small])
    )


def test_stages_after_the_stem_are_summed_and_a_surplus_stage_is_left_out() -> None:
    student, teacher, target, index = batch()
    loss = make_loss("at")
    single = [attention_transfer([s], [t]) for s, t in zip(student.maps[1:], teacher.maps[1:], strict=True)]
    torch.testing.assert_close(loss(student, teacher, target, index), torch.stack(single).sum())
    shorter = teacher._replace(maps=teacher.maps[:3])
    torch.testing.assert_close(loss(student, shorter, target, index), single[0] + single[1])


def test_the_size_of_activations_does_not_matter() -> None:
    student, teacher = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(
        attention_transfer([7 * student], [teacher]), attention_transfer([student], [teacher])
    )
