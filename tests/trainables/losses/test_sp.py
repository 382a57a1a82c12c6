from __future__ import annotations

import pytest
import torch

from tests.trainables.losses.conftest import Reference, gradient
from tests.trainables.losses.pairs import batch, make_loss
from trainables.losses import Features, FeatureShapes, feature_loss
from trainables.losses.sp import similarity_preserving


def test_agrees_with_the_released_code(reference: Reference) -> None:
    student = reference.tensor("features/student").clone().requires_grad_()
    teacher = reference.tensor("features/teacher_gram_factor")[:, :, None, None]
    shapes = FeatureShapes(((64, 8, 8),)), FeatureShapes(((16, 1, 1),))
    loss = feature_loss("sp", *shapes, 16)(
        Features((student,), (student,), student.mean((2, 3))),
        Features((teacher,), (teacher,), teacher.mean((2, 3))),
        torch.zeros(16, dtype=torch.long),
        torch.arange(16),
    )
    assert loss.item() == pytest.approx(reference.value("features/sp"), rel=1e-5)
    expected = reference.tensor("features/sp/grad")
    # The gradient is at most 1.3e-6: compare at its own size, after the weight of 3000 as well.
    torch.testing.assert_close(3000 * gradient(loss, student), 3000 * expected, rtol=1e-5, atol=1e-7)


def test_two_images_by_hand() -> None:
    # Rows of the student's Gram matrix: orthogonal images; of the teacher's: the same image twice.
    student = torch.eye(2).unsqueeze(0)
    teacher = torch.ones(1, 2, 3)
    entry = 0.5**0.5
    expected = (2 * (1 - entry) ** 2 + 2 * entry**2) / 4
    torch.testing.assert_close(similarity_preserving(student, teacher), torch.tensor([expected]))


def test_multiscale_is_sp_of_each_cell() -> None:
    student, teacher, target, index = batch()
    s, t = student.maps[-1], teacher.maps[-1]  # 2x2 and 4x4
    cells = [similarity_preserving(s.mean((2, 3))[None], t.mean((2, 3))[None])]
    for row in (0, 1):
        for column in (0, 1):
            of_teacher = t[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean((2, 3))
            cells.append(similarity_preserving(s[:, :, row, column][None], of_teacher[None]))
    each = torch.cat(cells)
    mean = make_loss("sp_multiscale", scales=(1, 2))(student, teacher, target, index)
    summed = make_loss("sp_multiscale", scales=(1, 2), reduction="sum")(student, teacher, target, index)
    torch.testing.assert_close(mean, each.mean())
    torch.testing.assert_close(summed, each.sum())
    assert each.std() > 1e-4
