from __future__ import annotations

import copy
import sys

import pytest
import torch
from torch import nn

from tests.trainables.models.conftest import filled
from trainables.models import ModelError, build
from trainables.models.external import NormThenLinear
from trainables.models.head_form import NetworkParts, find_head_form
from trainables.models.multiscale import pooling_commutes, region_logits

zoo = pytest.importorskip("torchvision.models")


@pytest.mark.parametrize(
    "name",
    ["resnet18", "mobilenet_v2", "shufflenet_v2_x0_5", "mnasnet0_5", "densenet121", "regnet_y_400mf"],
)
def test_torchvisions_networks_fit_and_keep_their_outputs_and_keys(name: str) -> None:
    theirs = filled(zoo.get_model(name, weights=None, num_classes=7))
    ours = build(f"torchvision:{name}", 7, image_size=64).eval()
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        features = ours.forward_features(images)
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)
        regions = region_logits(features, ours.classifier, (1, 2))
    assert features.shape[1] == ours.feature_channels
    torch.testing.assert_close(regions[:, 0], ours(images))
    torch.testing.assert_close(regions[:, 1:].mean(1), regions[:, 0], rtol=1e-4, atol=1e-4)
    assert torch.equal(ours.forward_stages(images).maps[-1], ours.forward_features(images))


def test_short_names_of_imagenet_networks() -> None:
    assert build("ResNet18", 7).state_dict().keys() == build("torchvision:resnet18", 7).state_dict().keys()


def test_training_reaches_every_parameter_and_copies_are_independent() -> None:
    model = build("torchvision:resnet18", 7, image_size=64)
    assert model.training
    regions = region_logits(model.forward_features(torch.randn(2, 3, 64, 64)), model.classifier, (1, 2))
    assert len(torch.autograd.grad(regions.sum(), list(model.parameters()))) == 62
    twin = copy.deepcopy(model)
    twin.load_state_dict({key: torch.zeros_like(value) for key, value in model.state_dict().items()})
    assert not any(bool(value.any()) for value in twin.state_dict().values())
    assert bool(model.classifier.weight.all())


def test_keys_hold_inside_another_module() -> None:
    model = nn.ModuleDict({"student": build("torchvision:shufflenet_v2_x0_5", 7)})
    state = model.state_dict()
    assert "student.fc.weight" in state
    assert not any("network" in key for key in state)
    model.load_state_dict(state)


def test_a_norm_before_the_classifier_becomes_part_of_it() -> None:
    pytest.importorskip("timm")
    model = build("timm:convnext_nano", 7, image_size=64).eval()
    assert isinstance(model.classifier, NormThenLinear)
    assert not pooling_commutes(model.classifier)
    assert {"head.norm.weight", "head.fc.weight", "stem.0.weight"} <= model.state_dict().keys()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        nn.init.normal_(model.get_parameter("network.head.norm.weight"))
        regions = region_logits(model.forward_features(images), model.classifier, (1, 2))
        theirs = model.network(images)  # type: ignore[operator]
    assert regions.shape == (2, 5, 7)
    torch.testing.assert_close(regions[:, 0], theirs)


def test_a_map_with_channels_last_is_turned() -> None:
    pytest.importorskip("timm")
    model = build("timm:swin_tiny_patch4_window7_224", 7, image_size=112).eval()
    features = model.forward_features(torch.randn(1, 3, 112, 112))
    assert features.shape == (1, model.feature_channels, 4, 4)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("vgg16", "ReLU 'classifier.4'"),
        ("alexnet", "ReLU 'classifier.5'"),
        ("mobilenet_v3_small", "Hardswish 'classifier.1'"),
        ("squeezenet1_1", "no linear layer"),
    ],
)
def test_torchvisions_networks_that_do_not_fit_are_refused(name: str, reason: str) -> None:
    with torch.device("meta"), pytest.raises(ModelError) as raised:
        build(f"torchvision:{name}", 7)
    assert reason in str(raised.value)
    assert f"'torchvision:{name}'" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mobilenetv3_small_050", "other layers lie between"),
        ("deit_tiny_distilled_patch16_224", "tuple, not one linear layer"),
        ("coat_tiny", "neither one map nor tokens"),
        ("vit_base_patch16_siglip_224", "nor a class token"),
    ],
)
def test_timms_networks_that_do_not_fit_are_refused(name: str, reason: str) -> None:
    """Without memory for their weights: their heads alone get numbers."""
    pytest.importorskip("timm")
    with torch.device("meta"), pytest.raises(ModelError) as raised:
        build(f"timm:{name}", 7, image_size=224)
    assert reason in str(raised.value)
    assert f"'timm:{name}'" in str(raised.value)


def test_what_looks_fit_but_is_not_the_average_is_refused() -> None:
    """A network whose head takes the maximum over the map has the right shapes, and other numbers."""
    network = pytest.importorskip("timm").create_model("resnet10t", num_classes=7, global_pool="max")
    parts = NetworkParts(network, network, "forward_features", network, "forward_head", "fc")
    with pytest.raises(ModelError, match="does not read the average"):
        find_head_form("timm:resnet10t", parts, 64)


def test_unknown_names_get_the_closest_ones() -> None:
    with pytest.raises(ModelError, match="did you mean 'torchvision:resnet18'"):
        build("torchvision:resnet81", 7)
    pytest.importorskip("timm")
    with pytest.raises(ModelError, match=r"timm has no classifier 'convnext_nan'.*'timm:convnext_nano'"):
        build("timm:convnext_nan", 7)


def test_timm_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModelError, match=r"needs the package timm: pip install 'sdd-study\[timm\]'"):
        build("timm:resnet18", 7)
