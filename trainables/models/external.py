"""Builds networks of torchvision and timm, without edits: map or tokens -> average or class token -> linear.

Patch tokens (ViT, DeiT, Mixer) are put together into a map, and the network's own norm and linear layer make
region logits of it; a class token, where the network reads one, stands for the whole image. A layer norm
between the average and the linear layer (ConvNeXt, ViT by average) is kept, as part of a region's classifier.
Whether a network fits is measured when it is built, see :mod:`trainables.models.head_form`; heads of several
layers (vgg16, MobileNetV3) and of two classifiers are refused. Weights are always fresh, nothing is
downloaded; the library's own weight files load by their published keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.config.method import MapKind
from trainables.errors import one_line, suggestion
from trainables.models.backbone import Backbone, Classifier, StageMaps
from trainables.models.head_form import HeadForm, NetworkParts, find_head_form, unfit
from trainables.models.libraries import library_names
from trainables.models.names import ModelError
from trainables.models.torchvision_graph import cut_at_pooling

__all__ = ["ExternalBackbone", "NormThenLinear", "build_external"]

CHECKED_SIZE = 64
"""Least pixels a side of the image that a network is checked with, so that its map is more than one pixel."""


class NormThenLinear:
    """Joins a layer norm and the linear layer after it, for pooled features: [..., C] -> [..., K].

    >>> import torch
    >>> NormThenLinear(nn.LayerNorm(8), nn.Linear(8, 10))(torch.zeros(2, 5, 8)).shape
    torch.Size([2, 5, 10])
    """

    commutes_with_pooling = False

    def __init__(self, norm: nn.LayerNorm, linear: nn.Linear) -> None:
        self.norm, self.linear = norm, linear

    @property
    def weight(self) -> Tensor:
        """Weights of the linear layer, [K, C]."""
        return self.linear.weight

    @property
    def bias(self) -> Tensor:
        """Biases of the linear layer, [K]."""
        return self.linear.bias

    def __call__(self, x: Tensor, /) -> Tensor:
        norm = self.norm
        logits: Tensor = self.linear(F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps))
        return logits


class ExternalBackbone(Backbone):
    """Wraps another library's network in this package's interface; the state dict keeps the network's keys.

    One map in :class:`StageMaps`, the last: where a stage ends is not known here. Dropout in the network's
    head is left out, since the logits of regions and of the whole image must come from the same head.
    """

    def __init__(self, network: nn.Module, features: str, linear: str, form: HeadForm) -> None:
        super().__init__()
        self.network = network
        self._features, self._linear, self._form = features, linear, form
        self.feature_channels = self.classifier.weight.shape[1]
        self.register_state_dict_post_hook(_without_prefix)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_with_prefix)  # type: ignore[no-untyped-call]

    @property
    def classifier(self) -> Classifier:
        """Linear layer of the network itself, with the layer norm before it if there is one."""
        linear = self.network.get_submodule(self._linear)
        assert isinstance(linear, nn.Linear)
        if self._form.norm is None:
            return linear
        norm = self.network.get_submodule(self._form.norm)
        assert isinstance(norm, nn.LayerNorm)
        return NormThenLinear(norm, linear)

    @property
    def classifier_weights(self) -> tuple[str, str]:
        """Keys of the linear layer, those of the network itself."""
        return f"{self._linear}.weight", f"{self._linear}.bias"

    @property
    def commutes_with_pooling(self) -> bool:
        """False too where a class token, and not the average of the patches, stands for the whole image."""
        return self._form.token is None and self._form.norm is None

    def forward_stages(self, x: Tensor, kind: MapKind = "released") -> StageMaps:
        features: Tensor = _method(self.network, self._features)(x)
        final = self._form.map(features)
        return StageMaps((final,), (final,), token=self._form.class_token(features))


def build_external(
    num_classes: int,
    image_size: int,
    *,
    library: str,
    entry: str,
    options: Mapping[str, Any],
    drop_path: float | None = None,
) -> ExternalBackbone:
    """Build ``torchvision:entry`` or ``timm:entry``, weights fresh; :class:`ModelError` if unfit.

    Args:
        options: of the library's builder, such as ``patch_size``.
        drop_path: see :func:`trainables.models.build`.
    """
    name = f"{library}:{entry}"
    if library == "torchvision":
        network = _from_torchvision(name, entry, num_classes, image_size, options)
        fixed = entry.startswith("vit_")
        body, head, linear = cut_at_pooling(name, network)
        parts = NetworkParts(network, body, "forward", head, "forward", linear)
        if drop_path is not None:
            _set_stochastic_depth(name, network, drop_path)
    else:
        rates = {} if drop_path is None else {"drop_path_rate": drop_path}
        network, fixed = _from_timm(name, entry, num_classes, image_size, {**options, **rates})
        if drop_path and not any(type(module).__name__ == "DropPath" for module in network.modules()):
            raise ModelError(f"network {name!r} has no residual branches that timm drops")
        linear = _timm_linear(name, network)
        parts = NetworkParts(network, network, "forward_features", network, "forward_head", linear)
    form = find_head_form(name, parts, image_size if fixed else max(image_size, CHECKED_SIZE))
    return ExternalBackbone(parts.body, parts.features, linear, form)


def _from_torchvision(
    name: str, entry: str, num_classes: int, image_size: int, options: Mapping[str, Any]
) -> nn.Module:
    import torchvision.models as zoo

    if entry not in library_names("torchvision"):
        raise _unknown(name, "torchvision", entry)
    # GoogLeNet and Inception warn about slow initialisation unless told
    own: dict[str, Any] = {"init_weights": True} if entry in ("googlenet", "inception_v3") else {}
    if entry.startswith("vit_"):
        own["image_size"] = image_size
    return _made(
        name,
        image_size,
        options,
        lambda: zoo.get_model(entry, weights=None, num_classes=num_classes, **own, **options),
    )


def _from_timm(
    name: str, entry: str, num_classes: int, image_size: int, options: Mapping[str, Any]
) -> tuple[nn.Module, bool]:
    """Return the network, and whether it takes images of one size only."""
    try:
        import timm
    except ImportError:
        raise ModelError(f"network {name!r} needs the package timm: pip install 'sdd-study[timm]'") from None
    if not timm.is_model(entry):
        raise _unknown(name, "timm", entry)
    config = timm.get_pretrained_cfg(entry)
    fixed = bool(config is not None and config.fixed_input_size)
    size: dict[str, Any] = {"img_size": image_size} if fixed else {}
    network = _made(
        name,
        image_size,
        options,
        lambda: timm.create_model(entry, pretrained=False, num_classes=num_classes, **size, **options),
    )
    return network, fixed


def _made(name: str, image_size: int, options: Mapping[str, Any], make: Callable[[], nn.Module]) -> nn.Module:
    """Return what ``make`` gives; a :class:`ModelError` of one line where the library refuses."""
    try:
        return make()
    except Exception as error:
        said = ", ".join(f"{option}={value}" for option, value in options.items())
        asked = f"images of {image_size}x{image_size}" + (f" or {said}" if said else "")
        raise ModelError(f"network {name!r} does not take {asked}: {one_line(error, part='first')}") from None


def _set_stochastic_depth(name: str, network: nn.Module, rate: float) -> None:
    """Set how often torchvision's residual branches are dropped: up to ``rate``, in even steps from 0."""
    from torchvision.ops import StochasticDepth

    branches = [module for module in network.modules() if isinstance(module, StochasticDepth)]
    if rate and not branches:
        raise ModelError(f"network {name!r} has no residual branches that torchvision drops")
    for number, branch in enumerate(branches):
        branch.p = rate * number / max(len(branches) - 1, 1)


def _timm_linear(name: str, network: nn.Module) -> str:
    """Return the path of a timm network's last linear layer."""
    classifier: object = _method(network, "get_classifier")()
    if not isinstance(classifier, nn.Linear):
        raise unfit(name, f"its classifier is {type(classifier).__name__}, not one linear layer")
    paths: dict[object, str] = {module: path for path, module in network.named_modules()}
    return paths[classifier]


def _method(network: nn.Module, method: str) -> Callable[..., Any]:
    """Return a method that torch's types do not know of."""
    bound: Callable[..., Any] = getattr(network, method)
    return bound


def _without_prefix(_module: nn.Module, state: dict[str, Tensor], prefix: str, _metadata: object) -> None:
    """Take ``network.`` out of the keys, which leaves those of the wrapped network."""
    for key in [key for key in state if key.startswith(f"{prefix}network.")]:
        state[prefix + key.removeprefix(f"{prefix}network.")] = state.pop(key)


def _with_prefix(_module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Put back what :func:`_without_prefix` took out, before loading."""
    for key in [key for key in state if key.startswith(prefix)]:
        state[f"{prefix}network.{key.removeprefix(prefix)}"] = state.pop(key)


def _unknown(name: str, library: str, entry: str) -> ModelError:
    known = [f"{library}:{other}" for other in library_names(library)]
    near = suggestion(name, known, otherwise="", most=3)
    hint = f"; {near}" if near else ""
    return ModelError(f"unknown network {name!r}: {library} has no classifier {entry!r}{hint}")
