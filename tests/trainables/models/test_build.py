"""The contract that every network keeps, and agreement with the released code."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.trainables.models.conftest import PUBLISHED, filled
from trainables.models import ModelError, build, names
from trainables.models.multiscale import region_logits

OWN = [*PUBLISHED, "MobileNetV1", "resnet8", "resnet14x4", "wrn_10_1", "vgg11"]
COMPUTED = [
    name for name in PUBLISHED if name not in ("resnet110", "ResNet50", "wrn_40_1", "vgg13", "ShuffleV2")
]


@pytest.mark.parametrize("name", PUBLISHED)
def test_keys_shapes_and_size_are_the_published_ones(name: str) -> None:
    model = build(name, 100)
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    assert shapes == PUBLISHED[name]["shapes"]
    assert sum(p.numel() for p in model.parameters()) == PUBLISHED[name]["parameters"]


@pytest.mark.parametrize("name", COMPUTED)
def test_logits_and_regions_are_those_of_the_released_code(name: str, reference: dict[str, Tensor]) -> None:
    model = filled(build(name, 100))
    with torch.no_grad():
        logits = model(reference["input"])
        regions = region_logits(model.forward_features(reference["input"]), model.classifier, (1, 2, 4))
    for ours, key in ((logits, "logits"), (regions.transpose(1, 2), "regions_1_2_4")):
        theirs = reference[f"{name}/{key}"]
        assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()
    torch.testing.assert_close(regions[:, 0], logits)


@pytest.mark.parametrize("name", OWN)
def test_every_network_keeps_the_contract(name: str) -> None:
    model = build(name, 7).eval()
    images = torch.randn(2, 3, 32, 32).to(memory_format=torch.channels_last)
    with torch.no_grad():
        features = model.to(memory_format=torch.channels_last).forward_features(images)
        stages = model.forward_stages(images, "activated")
        maps, preactivations, closing = stages.maps, stages.preactivations, stages.closing
        logits = model(images)
    published = PUBLISHED.get(name, {"final_map": list(features.shape[1:])})
    assert list(features.shape[1:]) == published["final_map"]
    assert features.shape[1] == model.feature_channels
    assert closing is None
    assert torch.equal(maps[-1], features)
    assert features.is_contiguous(memory_format=torch.channels_last)
    assert len(maps) == len(preactivations)
    for index, (after, before) in enumerate(zip(maps, preactivations, strict=True)):
        linear_bottleneck = name == "MobileNetV2" and index in (1, 2, 3)
        assert torch.equal(after, before if linear_bottleneck else F.relu(before))
    assert model.classifier.weight.shape == (7, model.feature_channels)
    assert model.classifier.bias.shape == (7,)
    pooled = features.mean(dim=(2, 3))
    torch.testing.assert_close(F.linear(pooled, model.classifier.weight, model.classifier.bias), logits)


@pytest.mark.parametrize("name", ["resnet8", "wrn_10_1", "vgg8", "MobileNetV2", "ShuffleV1", "ShuffleV2"])
def test_every_parameter_learns_and_stages_leave_the_statistics_alone(name: str) -> None:
    model = build(name, 5)
    images = torch.randn(4, 3, 32, 32)
    model(images).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    counters = [v for k, v in model.state_dict().items() if k.endswith("num_batches_tracked")]
    model.forward_stages(images)
    assert all(counter == 2 for counter in counters)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("resnet8", 14),
        ("wrn_10_1", 14),
        ("vgg8", 14),
        ("MobileNetV2", 14),
        ("MobileNetV1", 7),
        ("ShuffleV2", 7),
    ],
)
def test_large_images_end_in_a_map_of_moderate_size(name: str, side: int) -> None:
    small, large = build(name, 5), build(name, 5, image_size=224).eval()
    assert small.state_dict().keys() == large.state_dict().keys()
    with torch.no_grad():
        features = large.forward_features(torch.randn(1, 3, 224, 224))
    assert features.shape[2:] == (side, side)


def test_the_same_seed_gives_the_same_weights() -> None:
    built = []
    for _ in range(2):
        torch.manual_seed(3)
        built.append(build("resnet8", 5).state_dict())
    assert all(torch.equal(built[0][key], built[1][key]) for key in built[0])


def test_every_name_can_be_built() -> None:
    for name in set(names()) - {"ResNet18", "ResNet34"}:
        with torch.device("meta"):
            model = build(name, 5, image_size=224)
        assert model.classifier.weight.shape == (5, model.feature_channels)


@pytest.mark.parametrize("name", ["resnet8", "wrn_10_1"])
def test_networks_are_one_graph_for_the_compiler(name: str) -> None:
    torch._dynamo.reset()
    model = build(name, 5).eval()

    def regions(images: Tensor) -> Tensor:
        return region_logits(model.forward_features(images), model.classifier, (1, 2))

    images = torch.randn(2, 3, 32, 32)
    compiled = torch.compile(regions, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), regions(images))


def test_convolutions_start_with_he_normal_weights() -> None:
    for name in ("resnet20", "wrn_16_2", "vgg8", "MobileNetV2", "ResNet50"):
        convolutions = [m for m in build(name, 5).modules() if isinstance(m, nn.Conv2d)]
        widest = max(convolutions, key=lambda m: m.weight.numel())
        deviation = (2 / (widest.kernel_size[0] * widest.kernel_size[1] * widest.out_channels)) ** 0.5
        assert float(widest.weight.detach().std()) == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize(("classes", "image_size"), [(0, 32), (10, 4)])
def test_impossible_sizes_are_refused(classes: int, image_size: int) -> None:
    with pytest.raises(ModelError, match="resnet8"):
        build("resnet8", classes, image_size=image_size)


def test_names_are_checked_without_torch() -> None:
    code = (
        "import sys; from trainables.models import check_name;"
        "from trainables.config.scales import check_scales;"
        "check_name('resnet8x4'); check_name('timm:convnext_nano'); check_scales((1, 2));"
        "sys.exit(any(m in sys.modules for m in ('torch', 'torchvision', 'timm', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_own_networks_are_built_without_other_libraries() -> None:
    code = (
        "import sys; from trainables.models import build; build('resnet8', 5);"
        "sys.exit(any(m in sys.modules for m in ('torchvision', 'timm')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
