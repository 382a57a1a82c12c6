"""Builds networks of torchvision and timm, without edits: any of feature map -> average -> linear.

A layer norm between the average and the linear layer (ConvNeXt) is kept, as part of a region's classifier.
Whether a network fits is measured when it is built, on a random image: the average over its map must be what
its linear layer reads. Token models (ViT) and heads of several layers (vgg16, MobileNetV3) are refused.
Weights are always fresh, nothing is downloaded; the library's own weight files load by their published keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.config.method import MapKind
from trainables.errors import one_line, suggestion
from trainables.models.backbone import Backbone, Classifier, StageMaps
from trainables.models.names import ModelError
from trainables.models.torchvision_graph import feature_network, unfit

__all__ = ["ExternalBackbone", "NormThenLinear", "build_external"]

CHECKED_SIZE = 64
"""Least pixels a side of the image that a network is checked with, so that its map is more than one pixel."""


class NormThenLinear:
    """Joins a layer norm and the linear layer after it, for pooled features: [..., C] -> [..., K].

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

    def __init__(self, network: nn.Module, features: str, linear: str, norm: str | None, nhwc: bool) -> None:
        super().__init__()
        self.network = network
        self._features, self._linear, self._norm, self._nhwc = features, linear, norm, nhwc
        self.feature_channels = self.classifier.weight.shape[1]
        self.register_state_dict_post_hook(_without_prefix)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_with_prefix)  # type: ignore[no-untyped-call]

    @property
    def classifier(self) -> Classifier:
        """Linear layer of the network itself, with the layer norm before it if there is one."""
        linear = self.network.get_submodule(self._linear)
        assert isinstance(linear, nn.Linear)
        if self._norm is None:
            return linear
        norm = self.network.get_submodule(self._norm)
        assert isinstance(norm, nn.LayerNorm)
        return NormThenLinear(norm, linear)

    def forward_stages(self, x: Tensor, kind: MapKind = "released") -> StageMaps:
        features: Tensor = _method(self.network, self._features)(x)
        if self._nhwc:
            features = features.permute(0, 3, 1, 2)
        return StageMaps((features,), (features,))


def build_external(num_classes: int, image_size: int, *, library: str, entry: str) -> ExternalBackbone:
    """Build ``torchvision:entry`` or ``timm:entry``, weights fresh; :class:`ModelError` if unfit."""
    name = f"{library}:{entry}"
    if library == "torchvision":
        network = _from_torchvision(name, entry, num_classes)
        cut, linear = feature_network(name, network)
        norm, nhwc = _check(name, network, cut.forward, linear, max(image_size, CHECKED_SIZE))
        return ExternalBackbone(cut, "forward", linear, norm, nhwc)
    network, fixed = _from_timm(name, entry, num_classes, image_size)
    linear, features_of = _timm_linear(name, network), _method(network, "forward_features")
    size = image_size if fixed else max(image_size, CHECKED_SIZE)
    norm, nhwc = _check(name, network, features_of, linear, size)
    return ExternalBackbone(network, "forward_features", linear, norm, nhwc)


def _from_torchvision(name: str, entry: str, num_classes: int) -> nn.Module:
    import torchvision.models as zoo

    known = zoo.list_models(module=zoo)
    if entry not in known:
        raise _unknown(name, "torchvision", entry, known)
    # GoogLeNet and Inception warn about slow initialisation unless told
    options = {"init_weights": True} if entry in ("googlenet", "inception_v3") else {}
    network: nn.Module = zoo.get_model(entry, weights=None, num_classes=num_classes, **options)
    return network


def _from_timm(name: str, entry: str, num_classes: int, image_size: int) -> tuple[nn.Module, bool]:
    """Return the network, and whether it takes images of one size only."""
    try:
        import timm
    except ImportError:
        raise ModelError(f"network {name!r} needs the package timm: pip install 'sdd-study[timm]'") from None
    if not timm.is_model(entry):
        raise _unknown(name, "timm", entry, timm.list_models())
    network: nn.Module = timm.create_model(entry, pretrained=False, num_classes=num_classes)
    config: dict[str, Any] = getattr(network, "pretrained_cfg", {})
    fixed = bool(config.get("fixed_input_size"))
    if fixed and config.get("input_size", (3, image_size))[1] != image_size:
        try:
            network = timm.create_model(entry, pretrained=False, num_classes=num_classes, img_size=image_size)
        except Exception as error:
            raise ModelError(
                f"network {name!r} cannot take {image_size}x{image_size} images: {error}"
            ) from None
    return network, fixed


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


def _check(
    name: str, network: nn.Module, features_of: Callable[[Tensor], Tensor], linear: str, size: int
) -> tuple[str | None, bool]:
    """Run `network` once and hold its linear layer's input against the average over its map.

    Returns:
        The path of the layer norm between average and linear layer, or None; whether the map is [B, h, w, C].
    """
    head = network.get_submodule(linear)
    reads: dict[str, tuple[Tensor, Tensor]] = {}
    watched = {linear: head} | {p: m for p, m in network.named_modules() if isinstance(m, nn.LayerNorm)}
    hooks = [module.register_forward_hook(_recorder(reads, path)) for path, module in watched.items()]
    training = network.training
    image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        network.eval()
        with torch.no_grad():
            logits = network(image)
            seen = dict(reads)
            features = features_of(image)
    except Exception as error:
        raise ModelError(
            f"network {name!r} does not run on {size}x{size} images: {one_line(error, part='first')}"
        ) from None
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    if linear not in seen or not torch.equal(seen[linear][1], logits):
        raise unfit(name, "its output is not that of its last linear layer")
    target, channels = seen[linear][0].flatten(), seen[linear][0].numel()
    if features.dim() != 4:
        raise unfit(name, f"its features are tokens {tuple(features.shape)}, not a map [B, C, h, w]")
    if channels not in (features.shape[1], features.shape[3]):
        sizes = f"its map has {features.shape[1]} channels and its linear layer reads {channels}"
        raise unfit(name, f"{sizes}: other layers lie between pooling and classifier")
    norm = None
    for path, (before, after) in seen.items():
        if path != linear and after.numel() == channels and torch.equal(after.flatten(), target):
            norm, target = path, before.flatten()
            break
    for nhwc in (False, True):
        average = features.mean(dim=(1, 2) if nhwc else (2, 3)).flatten()
        if average.shape == target.shape and (average - target).abs().max() <= 1e-4 * target.abs().max():
            return norm, nhwc
    raise unfit(name, "its linear layer does not read the average of its last feature map")


def _recorder(reads: dict[str, tuple[Tensor, Tensor]], path: str) -> Callable[..., None]:
    def record(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        reads[path] = (inputs[0], output)

    return record


def _without_prefix(_module: nn.Module, state: dict[str, Tensor], prefix: str, _metadata: object) -> None:
    """Take ``network.`` out of the keys, which leaves those of the wrapped network."""
    for key in [key for key in state if key.startswith(f"{prefix}network.")]:
        state[prefix + key.removeprefix(f"{prefix}network.")] = state.pop(key)


def _with_prefix(_module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Put back what :func:`_without_prefix` took out, before loading."""
    for key in [key for key in state if key.startswith(prefix)]:
        state[f"{prefix}network.{key.removeprefix(prefix)}"] = state.pop(key)


def _unknown(name: str, library: str, entry: str, known: Iterable[str]) -> ModelError:
    near = suggestion(name, [f"{library}:{other}" for other in known], otherwise="", most=3)
    hint = f"; {near}" if near else ""
    return ModelError(f"unknown network {name!r}: {library} has no classifier {entry!r}{hint}")
