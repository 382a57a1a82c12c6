from __future__ import annotations

import pytest

from trainables.models.names import ModelError, available, check_name, names, resolve


@pytest.mark.parametrize(
    "name", [*names(), "wrn_10_1", "wrn_28_10", "torchvision:resnet50", "timm:convnext_nano.in12k"]
)
def test_known_names_are_accepted(name: str) -> None:
    check_name(name)
    assert available(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet8x5", "did you mean 'resnet8x4'"),
        ("mobilenetv2", "'MobileNetV2'"),
        ("resnet50", "'ResNet50' (32x32 images) or 'torchvision:resnet50'"),
        ("wrn_17_2", "6n + 4"),
        ("wrn_4_1", "6n + 4"),
        ("hub:resnet18", "torchvision:NAME or timm:NAME"),
        ("timm:", "got ''"),
        ("timm:hf-hub:someone/net", "got 'hf-hub:someone/net'"),
        ("something else", "known: "),
        ("", "known: "),
    ],
)
def test_unknown_names_are_refused_in_one_line_with_a_hint(name: str, hint: str) -> None:
    assert not available(name)
    with pytest.raises(ModelError) as raised:
        check_name(name)
    assert hint in str(raised.value)
    assert repr(name) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_name_must_be_text() -> None:
    with pytest.raises(ModelError, match="not 8"):
        check_name(8)  # type: ignore[arg-type]


def test_the_short_names_of_imagenet_are_torchvisions() -> None:
    assert resolve("ResNet34") == resolve("torchvision:resnet34")
    assert resolve("ResNet50") != resolve("torchvision:resnet50")
