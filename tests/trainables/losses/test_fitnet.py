from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.trainables.losses.pairs import STUDENT, TEACHER, batch, make_loss
from trainables.losses import Features, FeatureShapes, feature_loss


@pytest.mark.parametrize(("layer", "kernel", "stride"), [(0, 1, 1), (1, 3, 2), (2, 1, 1), (3, 4, 2)])
def test_the_regression_takes_the_students_map_to_the_teachers_size(
    layer: int, kernel: int, stride: int
) -> None:
    loss = make_loss("fitnet", layer=layer)
    convolution = loss.project
    assert isinstance(convolution, torch.nn.Conv2d | torch.nn.ConvTranspose2d)
    assert (convolution.kernel_size[0], convolution.stride[0]) == (kernel, stride)
    student, teacher, target, index = batch()
    hint = convolution(student.maps[layer])
    assert hint.shape == teacher.maps[layer].shape
    hint = (hint - hint.mean((0, 2, 3), keepdim=True)) / (
        hint.var((0, 2, 3), correction=0, keepdim=True) + 1e-5
    ).sqrt()
    expected = F.mse_loss(hint.relu(), teacher.maps[layer])
    torch.testing.assert_close(loss(student, teacher, target, index), expected)


@pytest.mark.parametrize("size", [3, 7])
def test_other_sizes_are_averaged_or_repeated(size: int) -> None:
    shapes = FeatureShapes(tuple((4, size, size) for _ in STUDENT.maps))
    _, teacher, target, index = batch(dtype=torch.float32)
    maps = tuple(torch.rand(len(target), *shape) for shape in shapes.maps)
    student = Features(maps, maps, maps[-1].mean((2, 3)))
    assert feature_loss("fitnet", shapes, TEACHER, 10)(student, teacher, target, index) > 0


def test_the_regression_can_be_trained_to_the_teachers_map() -> None:
    loss = make_loss("fitnet", layer=2)
    student, teacher, target, index = batch()
    # A teacher that is a linear map of the student, standardised: what the layers can express.
    mix = torch.randn(TEACHER.maps[2][0], STUDENT.maps[2][0], 1, 1, dtype=torch.float64)
    hint = F.relu(F.batch_norm(F.conv2d(student.maps[2], mix), None, None, training=True))
    teacher = teacher._replace(maps=(*teacher.maps[:2], hint, teacher.maps[3]))
    optimiser = torch.optim.Adam(loss.parameters(), lr=0.05)
    values = []
    for _ in range(150):
        value = loss(student, teacher, target, index)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert values[-1] < 0.02 * values[0]
