"""Token models: their patches are a map, their own norm and head make its regions' logits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainables.engine.head import MultiScaleHead
from trainables.models import ModelError, build
from trainables.models.multiscale import pooling_commutes, region_logits
from trainables.models.names import resolve

SMALL = "patch_size=4,depth=2,embed_dim=48,num_heads=3"
CLASS_TOKEN = f"timm:vit_tiny_patch16_224({SMALL})"
AVERAGE = f"timm:deit_tiny_patch16_224({SMALL},global_pool=avg)"


def moved(network: nn.Module) -> nn.Module:
    """``network`` in evaluation, no norm, scale or bias of it where it began."""
    with torch.no_grad():
        for value in network.parameters():
            value.add_(torch.randn_like(value) * 0.2)
    return network.eval()


@pytest.fixture
def images() -> Tensor:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    return torch.randn(3, 3, 32, 32)


@pytest.mark.parametrize("name", [CLASS_TOKEN, AVERAGE, "timm:mixer_s16_224"])
def test_the_global_view_is_the_models_own_output(name: str, images: Tensor) -> None:
    model = build(name, 7, image_size=32)
    moved(model)
    with torch.no_grad():
        theirs = model.network(images)  # type: ignore[operator]
        regions = MultiScaleHead(model, (1, 2, 4))(images).regions
        torch.testing.assert_close(model(images), theirs)
    assert regions.shape == (3, 21, 7)
    torch.testing.assert_close(regions[:, 0], theirs)


def test_regions_are_the_networks_head_of_the_average_of_their_patch_tokens(images: Tensor) -> None:
    for name, first in ((CLASS_TOKEN, 1), (AVERAGE, 1)):
        model = build(name, 7, image_size=32)
        moved(model)
        theirs = model.network
        with torch.no_grad():
            tokens = theirs.forward_features(images)[:, first:].reshape(3, 8, 8, 48)  # type: ignore[operator]
            upper_right = tokens[:, :4, 4:].mean((1, 2))
            expected = theirs.head(theirs.fc_norm(upper_right))  # type: ignore[operator]
            regions = MultiScaleHead(model, (1, 2))(images).regions
        torch.testing.assert_close(regions[:, 2], expected)


def test_a_class_token_is_no_average_of_regions(images: Tensor) -> None:
    by_token, by_average = (build(name, 7, image_size=32).eval() for name in (CLASS_TOKEN, AVERAGE))
    stages = by_token.forward_stages(images)
    assert stages.token is not None
    assert stages.pooled is stages.token
    assert stages.final.shape == (3, 48, 8, 8)
    assert not pooling_commutes(by_token)
    assert pooling_commutes(by_token.classifier)
    assert by_average.forward_stages(images).token is None
    assert not pooling_commutes(by_average)


def test_every_scale_keeps_its_place_beside_the_class_token() -> None:
    features, token, linear = torch.randn(2, 6, 4, 4), torch.randn(2, 6), nn.Linear(6, 5)
    found = region_logits(features, linear, (2, 1, 4), token)
    torch.testing.assert_close(found[:, 4], linear(token))
    torch.testing.assert_close(found[:, :4], region_logits(features, linear, (2,)))
    torch.testing.assert_close(found[:, 5:], region_logits(features, linear, (4,)))


def test_torchvisions_vit_gives_its_patches_as_a_map() -> None:
    with torch.device("meta"):
        model = build("torchvision:vit_b_16", 7, image_size=64).eval()
        stages = model.forward_stages(torch.empty(2, 3, 64, 64))
    assert stages.final.shape == (2, 768, 4, 4)
    assert stages.token is not None
    assert {"class_token", "encoder.pos_embedding", "heads.head.weight"} <= model.state_dict().keys()


@pytest.mark.slow
def test_torchvisions_vit_keeps_its_output() -> None:
    model = build("torchvision:vit_b_16", 7, image_size=32)
    moved(model)
    zoo = pytest.importorskip("torchvision.models")
    theirs = zoo.vit_b_16(num_classes=7, image_size=32).eval()
    theirs.load_state_dict(model.state_dict())
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model(images), theirs(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [CLASS_TOKEN, AVERAGE])
def test_without_memory_behind_its_weights_a_head_is_found_out_alike(name: str) -> None:
    pytest.importorskip("timm")
    with torch.device("meta"):
        model = build(name, 7, image_size=32)
    assert model._form == build(name, 7, image_size=32)._form  # type: ignore[attr-defined]
    assert all(value.is_meta for value in model.parameters())


def test_options_in_a_name_are_the_builders() -> None:
    recipe = resolve("timm:vit_tiny_patch16_224(patch_size=4,qkv_bias=false,mlp_ratio=2.5,global_pool=avg)")
    assert recipe.options["options"] == {
        "patch_size": 4,
        "qkv_bias": False,
        "mlp_ratio": 2.5,
        "global_pool": "avg",
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("timm:resnet18(block)", "'block' is not OPTION=VALUE"),
        ("timm:resnet18(a=1,a=2)", "each once"),
        ("timm:resnet18(num_classes=3)", "num_classes follows from the data"),
        ("timm:resnet18(drop_path_rate=0.1)", "drop_path_rate is training.drop_path"),
        ("timm:resnet18(pretrained=true)", "pretrained is a pair's weights"),
        ("resnet8(depth=3)", "unknown network"),
    ],
)
def test_options_that_are_none_are_refused_without_torch(name: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        resolve(name)


def test_an_option_that_the_builder_does_not_know_is_one_line(images: Tensor) -> None:
    with pytest.raises(ModelError, match=r"does not take images of 32x32 or depht=2: .*depht") as raised:
        build("timm:vit_tiny_patch16_224(depht=2)", 7, image_size=32)
    assert "\n" not in str(raised.value)
    with pytest.raises(ModelError, match="does not take images of 36x36"):
        build("torchvision:vit_b_16", 7, image_size=36)
