"""The maps that feature losses get: those of the lists of RepDistiller and mdistiller, or those after them.

What the lists hold is read off the modules themselves, by hooks.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.losses.features import Features, FeatureShapes, feature_loss
from trainables.models import build
from trainables.models.backbone import Backbone
from trainables.models.names import names, resolve

RELEASED: Mapping[str, tuple[str, ...]] = {
    "wrn_10_1": ("conv1", "block1.layer.0", "block2.layer.0", "block3.layer.0"),
    "wrn_16_2": ("conv1", "block1.layer.1", "block2.layer.1", "block3.layer.1"),
    "MobileNetV2": ("conv1", "blocks.1", "blocks.2", "blocks.4", "blocks.6"),
    "ShuffleV2": ("bn1", "layer1.3", "layer2.7", "layer3.3"),
}
"""The modules whose outputs the released lists hold; a ReLU follows where the list has it."""
RECTIFIED = {("MobileNetV2", 0), *(("ShuffleV2", stage) for stage in range(4))}


def seen(model: Backbone, images: Tensor, modules: tuple[str, ...]) -> tuple[dict[str, Tensor], Tensor]:
    """Outputs of ``modules`` in one pass, and the map that went into the classifier's average."""
    outputs: dict[str, Tensor] = {}

    def hook(path: str) -> None:
        def keep(_module: nn.Module, _inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
            outputs[path] = (output[0] if isinstance(output, tuple) else output).clone()

        model.get_submodule(path).register_forward_hook(keep)

    for path in modules:
        hook(path)
    return outputs, model.forward_features(images)


@pytest.mark.parametrize("name", RELEASED)
def test_released_maps_are_those_of_the_lists(name: str) -> None:
    torch.manual_seed(0)
    model, images = build(name, 5).eval(), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        outputs, final = seen(model, images, RELEASED[name])
        stages = model.forward_stages(images)
    for stage, (path, found) in enumerate(zip(RELEASED[name], stages.maps, strict=True)):
        output = outputs[path]
        assert torch.equal(found, F.relu(output) if (name, stage) in RECTIFIED else output)
    assert stages.closing is not None
    assert torch.equal(stages.final, final)
    pooled = Features.from_stages(stages).pooled
    torch.testing.assert_close(model.classifier(pooled), model(images))


def test_the_raw_stream_of_a_wide_resnet_is_not_rectified() -> None:
    maps = build("wrn_10_1", 5).eval().forward_stages(torch.randn(2, 3, 32, 32)).maps
    assert all((found < 0).any() for found in maps)


@pytest.mark.parametrize("name", RELEASED)
def test_activated_maps_end_in_the_final_one(name: str) -> None:
    model, images = build(name, 5).eval(), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        stages, released = model.forward_stages(images, "activated"), model.forward_stages(images)
    assert stages.closing is None
    assert torch.equal(stages.maps[-1], released.final)
    assert torch.equal(stages.maps[-1], F.relu(stages.preactivations[-1]))


def test_recipes_tell_where_the_two_kinds_differ() -> None:
    for name in set(names()) - {"ResNet18", "ResNet34"}:
        with torch.device("meta"):
            stages = build(name, 5).eval().forward_stages(torch.empty(1, 3, 32, 32))
        assert (stages.closing is not None) == resolve(name).closing_layers, name


def test_fitnet_compares_the_raw_stream_of_a_wide_resnet() -> None:
    """On wrn_40_2-vgg8, where the published weight of 100 was chosen for it."""
    torch.manual_seed(0)
    images = torch.randn(4, 3, 32, 32)
    teacher, student = build("wrn_40_2", 5).eval(), build("vgg8", 5).eval()
    values = {}
    with torch.no_grad():
        outputs, _ = seen(teacher, images, ("block2.layer.5",))
        for kind in ("activated", "released"):
            of_teacher, of_student = (
                Features.from_stages(network.forward_stages(images, kind)) for network in (teacher, student)
            )
            loss = feature_loss("fitnet", FeatureShapes.of(of_student), FeatureShapes.of(of_teacher), 4)
            target = torch.zeros(4, dtype=torch.int64)
            values[kind] = loss(of_student, of_teacher, target, target)
            if kind == "released":
                hint = F.relu(loss.norm(loss.project(of_student.maps[2])))  # type: ignore[operator]
                torch.testing.assert_close(values[kind], F.mse_loss(hint, outputs["block2.layer.5"]))
    assert values["released"] > 2 * values["activated"]


def test_channels_of_the_pooled_features_are_those_of_the_final_map() -> None:
    for name, channels, last in (("MobileNetV2", 1280, 160), ("ShuffleV2", 1024, 464), ("vgg8", 512, 512)):
        with torch.device("meta"):
            stages = build(name, 5).eval().forward_stages(torch.empty(1, 3, 32, 32))
        shapes = FeatureShapes.of(Features.from_stages(stages))
        assert (shapes.pooled, shapes.maps[-1][0]) == (channels, last)
