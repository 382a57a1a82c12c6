"""Networks for small images on large ones: as SDD's code has them for CUB-200, and as they were before.

``tests/data/cub_models.npz`` has, for seven networks with 200 classes, the side of the last map for a 224x224
image and the state dict's shapes; for four of them what the released code gives for an image of
``numpy.random.RandomState(224).rand(1, 3, 224, 224)`` with the weights of :func:`filled`.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainables.models.conftest import DATA, filled
from trainables.engine.head import MultiScaleHead
from trainables.models import build
from trainables.models.multiscale import region_logits
from trainables.models.names import names, resolve
from trainables.models.profile import final_map

with np.load(DATA / "cub_models.npz") as stored:
    CUB = {name: stored[name] for name in stored}

NETWORKS = sorted({key.split("/")[0] for key in CUB})
COMPUTED = [name for name in NETWORKS if f"{name}/logits" in CUB]
DIVIDED = [name for name in COMPUTED if not (CUB[f"{name}/map"] % 4).any()]


def image() -> Tensor:
    return torch.from_numpy(np.random.RandomState(224).rand(1, 3, 224, 224).astype(np.float32))


def close(ours: Tensor, theirs: np.ndarray) -> bool:
    expected = torch.from_numpy(theirs)
    return bool((ours - expected).abs().max() <= 1e-4 * expected.abs().max())


def test_seven_networks_are_held() -> None:
    assert len(NETWORKS) == 7
    assert set(COMPUTED) == {"resnet32x4", "ResNet50", "MobileNetV2", "vgg8"}
    assert set(DIVIDED) == {"resnet32x4", "vgg8"}, "14x14 and 7x7 maps are not divided by 4"


@pytest.mark.parametrize("name", NETWORKS)
def test_released_keys_shapes_and_maps(name: str) -> None:
    model = build(name, 200, image_size=224, large_images="released")
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    assert shapes == json.loads(str(CUB[f"{name}/shapes"]))
    assert list(final_map(name, 200, 224, "released")) == CUB[f"{name}/map"].tolist()


@pytest.mark.parametrize("name", COMPUTED)
def test_released_networks_compute_what_the_released_code_does(name: str) -> None:
    model = filled(build(name, 200, image_size=224, large_images="released"))
    expected = CUB[f"{name}/regions_1_2_4"]
    with torch.no_grad():
        outputs = MultiScaleHead(model, (1, 2, 4), pooling="released")(image())
        regions = region_logits(model.forward_features(image()), model.classifier, (1, 2, 4)).transpose(1, 2)
    assert close(outputs.logits, CUB[f"{name}/logits"])
    assert close(outputs.regions[:, 1:].transpose(1, 2), expected)
    assert close(regions, expected) == (name in DIVIDED), "pooled from the map, as the equations have it"


@pytest.mark.parametrize("name", [name for name in COMPUTED if name != "MobileNetV2"])
def test_pooled_networks_have_the_same_keys_and_compute_something_else(name: str) -> None:
    model = filled(build(name, 200, image_size=224))
    with torch.no_grad():
        logits = model(image())
    assert {key: list(value.shape) for key, value in model.state_dict().items()} == json.loads(
        str(CUB[f"{name}/shapes"])
    )
    assert not close(logits, CUB[f"{name}/logits"])


@pytest.mark.parametrize("size", [32, 64])
def test_small_images_meet_one_form(size: int) -> None:
    for name in ("resnet8", "wrn_10_1", "vgg8", "MobileNetV2", "ShuffleV1", "ShuffleV2"):
        maps = {final_map(name, 5, size, form) for form in ("pooled", "released")}
        assert len(maps) == 1, name


def test_recipes_tell_which_networks_have_two_forms() -> None:
    for name in names():
        if name in ("ResNet18", "ResNet34"):
            assert not resolve(name).for_small_images
            continue
        with torch.device("meta"):
            forms = [build(name, 5, image_size=224, large_images=form) for form in ("pooled", "released")]
            maps = [network.eval().forward_features(torch.empty(1, 3, 224, 224)).shape for network in forms]
        assert (maps[0] != maps[1]) == resolve(name).for_small_images, name
