"""Lists the networks there are, by name. Imports nothing heavy: a study file is checked in milliseconds.

A name is either in the table below, follows the pattern ``wrn_D_K``, or points to another library as
``torchvision:NAME`` or ``timm:NAME``, whose builders take options as well:
``timm:vit_tiny_patch16_224(patch_size=4)``.

>>> resolve("resnet8x4").options
{'depth': 8, 'width': 4}
>>> available("wrn_10_1"), available("torchvision:resnet50"), available("resnet8x5")
(True, True, False)
>>> resolve("timm:vit_tiny_patch16_224(patch_size=4,depth=2)").options["options"]
{'patch_size': 4, 'depth': 2}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from trainables.errors import SDDError, suggestion

__all__ = ["LIBRARIES", "ModelError", "ModelRecipe", "available", "check_name", "names", "resolve"]


PUBLISHED = "published"
"""What stands for weights that a network's library publishes; ``published:TAG`` for others than the usual."""


def is_published(weights: str | None) -> bool:
    """Tell whether ``weights`` stands for published ones, and is no file.

    >>> is_published("published:IMAGENET1K_V1"), is_published("published.pth")
    (True, False)
    """
    return weights is not None and weights.partition(":")[0] == PUBLISHED


class ModelError(SDDError, ValueError):
    """Says why a network or a weight file cannot be used; of a misspelt name, which are close.

    >>> check_name("resnet8x5")
    Traceback (most recent call last):
    ...
    trainables.models.names.ModelError: unknown network 'resnet8x5'; did you mean ...
    """


@dataclass(frozen=True, slots=True)
class ModelRecipe:
    """Says how to build one network: ``trainables.models.<module>.<factory>(**options)``.

    >>> recipe = resolve("wrn_16_2")
    >>> recipe.module, recipe.factory, recipe.options
    ('wrn', 'WideResNet', {'depth': 16, 'width': 2})

    Attributes:
        for_small_images: whether it is a network for 32x32 images, which takes large ones in one of two forms
            (``TrialConfig.large_images``).
        closing_layers: whether layers lie between its last stage and what is pooled, so that the two kinds of
            maps differ (``Method.maps``).
    """

    module: str
    factory: str
    options: Mapping[str, object] = field(default_factory=dict)
    for_small_images: bool = True
    closing_layers: bool = False


LIBRARIES = ("torchvision", "timm")
SET_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("num_classes", "img_size", "image_size", "in_chans"), "follows from the data"),
    **dict.fromkeys(("pretrained", "weights", "checkpoint_path"), "is a pair's weights, or training.init"),
    **dict.fromkeys(("drop_path_rate", "stochastic_depth_prob"), "is training.drop_path"),
}
"""Options of other libraries' builders that are decided otherwise, and by what."""
RESNET_DEPTHS = (8, 14, 20, 26, 32, 38, 44, 56, 110)
VGG_DEPTHS = (8, 11, 13, 16, 19)


def _external(name: str) -> ModelRecipe:
    match = _EXTERNAL.fullmatch(name)
    assert match is not None
    library, entry, options = match[1], match[2], _options(name, match[3])
    about = {"library": library, "entry": entry, "options": options}
    return ModelRecipe("external", "build_external", about, for_small_images=False)


def _options(name: str, text: str | None) -> dict[str, object]:
    """Read what stands in the brackets of a name: whole numbers, others, true and false, words."""
    found: dict[str, object] = {}
    for part in text.split(",") if text else ():
        option, equals, value = part.partition("=")
        if not equals or not option.isidentifier() or not value or option in found:
            raise ModelError(f"network {name!r}: {part!r} is not OPTION=VALUE, each once, without blanks")
        if option in SET_ELSEWHERE:
            raise ModelError(f"network {name!r}: {option} {SET_ELSEWHERE[option]}")
        found[option] = _value(value)
    return found


def _value(text: str) -> object:
    """Read one value, as Python writes it; what it does not know is a word.

    >>> [_value(text) for text in ("4", "0.5", "true", "avg")]
    [4, 0.5, True, 'avg']
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _wide(depth: int, width: int) -> ModelRecipe:
    return ModelRecipe("wrn", "WideResNet", {"depth": depth, "width": width}, closing_layers=True)


def _table() -> dict[str, ModelRecipe]:
    table = {f"resnet{d}": ModelRecipe("resnet", "ResNet", {"depth": d, "width": 1}) for d in RESNET_DEPTHS}
    table |= {
        f"resnet{d}x4": ModelRecipe("resnet", "ResNet", {"depth": d, "width": 4}) for d in (8, 14, 20, 32)
    }
    table |= {f"wrn_{d}_{k}": _wide(d, k) for d, k in [(16, 1), (16, 2), (40, 1), (40, 2)]}
    table |= {f"vgg{d}": ModelRecipe("vgg", "VGG", {"depth": d}) for d in VGG_DEPTHS}
    table |= {
        "ResNet50": ModelRecipe("resnet_bottleneck", "BottleneckResNet", {"blocks": (3, 4, 6, 3)}),
        "MobileNetV1": ModelRecipe("mobilenet", "MobileNetV1", for_small_images=False),
        "MobileNetV2": ModelRecipe("mobilenet", "MobileNetV2", {"width": 0.5}, closing_layers=True),
        "ShuffleV1": ModelRecipe("shufflenet", "ShuffleNetV1"),
        "ShuffleV2": ModelRecipe("shufflenet", "ShuffleNetV2", closing_layers=True),
        "ResNet18": _external("torchvision:resnet18"),
        "ResNet34": _external("torchvision:resnet34"),
    }
    return table


_WRN = re.compile(r"wrn_([1-9]\d*)_([1-9]\d*)")
_EXTERNAL = re.compile(r"(torchvision|timm):([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)(?:\(([A-Za-z0-9_.,=+-]*)\))?")
_TABLE = _table()


def names() -> tuple[str, ...]:
    """Return every name of the table, sorted. ``wrn_D_K``, ``torchvision:NAME``, ``timm:NAME`` come too."""
    return tuple(sorted(_TABLE, key=str.lower))


def resolve(name: str) -> ModelRecipe:
    """Return the recipe behind `name`; a :class:`ModelError` names the closest where there is none.

    For ``torchvision:NAME`` and ``timm:NAME`` only the spelling is checked here: whether the library knows
    the network, and whether it fits, is found out on building.
    """
    if not isinstance(name, str):
        raise ModelError(f"a network's name is a text such as 'resnet8x4', not {name!r}")
    if name in _TABLE:
        return _TABLE[name]
    if _EXTERNAL.fullmatch(name):
        return _external(name)
    if match := _WRN.fullmatch(name):
        depth, width = int(match[1]), int(match[2])
        if depth >= 10 and (depth - 4) % 6 == 0:
            return _wide(depth, width)
        raise ModelError(f"network {name!r}: the depth of wrn_D_K must be 6n + 4 (10, 16, 22, ..., 40, ...)")
    raise ModelError(f"unknown network {name!r}; {_hint(name)}")


def check_name(name: str) -> None:
    """Raise :class:`ModelError` unless `name` is a network's name (imports no torch)."""
    resolve(name)


def available(name: str) -> bool:
    """Tell whether :func:`check_name` accepts `name`."""
    try:
        resolve(name)
    except ModelError:
        return False
    return True


def _hint(name: str) -> str:
    library, colon, entry = name.partition(":")
    if colon:
        shape = "NAME is letters, digits, '_' and '.'; options stand behind it as (OPTION=VALUE,...)"
        shape = shape if library in LIBRARIES else "only these libraries"
        return f"networks of other libraries are torchvision:NAME or timm:NAME ({shape}; got {entry!r})"
    if name.lower() == "resnet50":
        close = ["ResNet50' (32x32 images)", "'torchvision:resnet50' (224x224 images)"]
        return "did you mean '" + " or ".join(close) + "?"
    known = f"known: {', '.join(names())}, wrn_D_K, torchvision:NAME, timm:NAME"
    return suggestion(name, _TABLE, otherwise=known, most=3)
