from __future__ import annotations

import json

import pytest

from study.cli import main
from trainables.models import build
from trainables.models.profile import multiply_adds, parameter_count


def test_networks_come_with_what_they_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["networks", "resnet8*"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["network", "parameters", "multiply-adds", "map", "whole", "image"]
    resnet8 = build("resnet8", 100)
    costs = [f"{parameter_count(resnet8):,}", f"{multiply_adds(resnet8, 32):,}"]
    assert rows[0].split() == ["resnet8", *costs, "8x8", "average"]
    assert [row.split()[0] for row in rows] == ["resnet8", "resnet8x4"]


def test_json_has_those_that_do_not_fit_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["networks", "torchvision:vgg11", "--classes", "7", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert not found["fits"]
    assert found["map"] is None
    assert "ReLU 'classifier.4'" in found["reason"]
    assert main(["networks", "torchvision:vgg11"]) == 0
    assert capsys.readouterr().out.startswith("does not fit: network 'torchvision:vgg11'")


def test_token_models_say_what_stands_for_the_whole_image(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("timm")
    name = "timm:deit_tiny_patch16_224(patch_size=4)"
    assert main(["networks", name, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["map"], found["whole"]) == (name, [8, 8], "class token")
    assert found["parameters"] == parameter_count(build(name, 100))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resnet9000"], "no network matches 'resnet9000'"),
        (["--image-size", "4"], "--image-size is 8 or more"),
    ],
)
def test_what_cannot_be_listed_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["networks", *arguments]) == 2
    assert said in capsys.readouterr().err
