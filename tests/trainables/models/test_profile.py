from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.models import build
from trainables.models.profile import multiply_adds, parameter_count, profile, weightless


def test_convolutions_and_linear_layers_are_counted_by_hand() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),  # 8 * 16 * 16 numbers, each 3 * 9
        nn.Conv2d(8, 8, 3, padding=1, groups=8),  # 8 * 16 * 16 numbers, each 9
        nn.Flatten(),
        nn.Linear(8 * 16 * 16, 5),
    )
    assert multiply_adds(model, 32) == 8 * 256 * 27 + 8 * 256 * 9 + 2048 * 5


@pytest.mark.parametrize(
    ("name", "image_size", "classes", "millions"),
    [
        ("resnet32x4", 32, 100, 1083.0),
        ("resnet8x4", 32, 100, 177.1),
        ("MobileNetV1", 224, 1000, 568.7),
        ("torchvision:mobilenet_v2", 224, 1000, 300.8),
    ],
)
def test_costs_are_the_known_ones(name: str, image_size: int, classes: int, millions: float) -> None:
    model = build(name, classes, image_size=image_size)
    assert multiply_adds(model, image_size) / 1e6 == pytest.approx(millions, rel=1e-3)


def test_the_model_is_left_as_it_was() -> None:
    model = build("resnet8", 10)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    multiply_adds(model, 32)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert parameter_count(model) == 78042


def test_attention_is_counted_in_its_layers_and_its_two_products() -> None:
    """torchvision's ViT has layers that are no modules, and a fused pass in evaluation."""
    network = weightless("torchvision:vit_b_16", 10, 32)
    tokens, width, layers = 5, 768, 12
    embedding = 4 * width * 3 * 16 * 16
    layer = tokens * width * (3 * width + width + 2 * 4 * width) + 2 * tokens * tokens * width
    assert multiply_adds(network, 32) == embedding + layers * layer + width * 10


def test_networks_are_looked_at_without_memory_for_their_weights() -> None:
    found = profile("torchvision:resnet18", 10, 64)
    assert found.fits
    assert found.map == (2, 2)
    assert found.parameters == parameter_count(build("torchvision:resnet18", 10))
    assert all(value.is_meta for value in weightless("torchvision:resnet18", 10, 64).parameters())
    assert not profile("torchvision:alexnet").fits
