"""Finds what a network's last linear layer reads: the average of a map or of tokens, or a class token.

It is found out with numbers, by running the network's own head on a map or tokens and looking at what comes
in. A network without memory behind its weights (torch's meta device) has its head alone filled with numbers.

Shape legend: B images, N tokens, C channels, h and w a map's size, K classes.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from trainables.errors import one_line
from trainables.models.names import ModelError

__all__ = ["HeadForm", "NetworkParts", "find_head_form", "unfit"]

NO_MAP = "its features are neither one map nor tokens"


@dataclass(frozen=True, slots=True)
class NetworkParts:
    """Holds a network cut in two: images -> map or tokens, and these -> logits.

    Attributes:
        whole: the network as its library made it.
        body, features: the module, and its method, that maps images to a map or tokens.
        head, logits: the module, and its method, that maps these to logits.
        linear: path of the last linear layer, in both modules.
    """

    whole: nn.Module
    body: nn.Module
    features: str
    head: nn.Module
    logits: str
    linear: str


@dataclass(frozen=True, slots=True)
class HeadForm:
    """Says how a network's features become a map, and what its linear layer reads of the whole image.

    >>> tokens = torch.arange(10.0).reshape(1, 5, 2)
    >>> form = HeadForm("tokens", prefix=1, token=0)
    >>> form.map(tokens).shape, form.class_token(tokens)
    (torch.Size([1, 2, 2, 2]), tensor([[0., 1.]]))

    Attributes:
        layout: ``planes`` [B, C, h, w], ``pixels`` [B, h, w, C], or ``tokens`` [B, N, C].
        prefix: tokens that stand before those of the patches: class tokens, registers.
        token: position of the class token that is read; None where the average is.
        norm: path of the layer norm between that and the linear layer, or None.
    """

    layout: Literal["planes", "pixels", "tokens"]
    prefix: int = 0
    token: int | None = None
    norm: str | None = None

    def map(self, features: Tensor) -> Tensor:
        """Return features as a map [B, C, h, w]."""
        if self.layout == "planes":
            return features
        if self.layout == "pixels":
            return features.permute(0, 3, 1, 2)
        patches = features[:, self.prefix :].transpose(1, 2)
        side = math.isqrt(patches.shape[2])
        return patches.reshape(*patches.shape[:2], side, side)

    def class_token(self, features: Tensor) -> Tensor | None:
        """Return the class token [B, C]; None where the average of the map is read."""
        return None if self.token is None else features[:, self.token]


def find_head_form(name: str, parts: NetworkParts, size: int) -> HeadForm:
    """Find the form of a network's head, by an image of ``size`` pixels a side.

    Raises:
        ModelError: the network does not run on such images, or its head reads something else.
    """
    image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0), device="cpu")
    with _evaluating(parts.whole, parts.body, parts.head), torch.no_grad():
        try:
            features, head, expected = _features(name, parts, image)
            reads, logits = _run_head(head, parts, features)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(
                f"network {name!r} does not run on {size}x{size} images: {one_line(error, part='first')}"
            ) from None
    if parts.linear not in reads or not torch.equal(reads[parts.linear][1], logits):
        raise unfit(name, "its output is not that of its last linear layer")
    if expected is not None and not _close(expected, logits):
        raise unfit(name, "its output is not its head's of its features")
    return _form(name, parts, features, reads)


def _features(name: str, parts: NetworkParts, image: Tensor) -> tuple[Tensor, nn.Module, Tensor | None]:
    """Return features, a head with numbers in it, and the network's own output where there is one."""
    if not next(parts.whole.parameters()).is_meta:
        return getattr(parts.body, parts.features)(image), parts.head, parts.whole(image)
    shown = getattr(parts.body, parts.features)(image.to("meta"))
    if not isinstance(shown, Tensor):
        raise unfit(name, NO_MAP)
    features = torch.randn(shown.shape, generator=torch.Generator().manual_seed(1), device="cpu")
    return features, _filled(parts, shown), None


def _filled(parts: NetworkParts, features: Tensor) -> nn.Module:
    """Return a copy of the head in which the modules that run have random numbers on the CPU."""
    head = copy.deepcopy(parts.head)
    used: list[nn.Module] = [head]
    hooks = [module.register_forward_pre_hook(lambda at, _: used.append(at)) for module in head.modules()]
    getattr(head, parts.logits)(features)
    for hook in hooks:
        hook.remove()
    for module in used:
        module.to_empty(device="cpu", recurse=False)
        for value in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            if value.is_floating_point():
                value.uniform_(0.5, 1.5)
            else:
                value.zero_()
    return head


def _run_head(
    head: nn.Module, parts: NetworkParts, features: Any
) -> tuple[dict[str, tuple[Tensor, Tensor]], Tensor]:
    """Return (input, output) of the head's linear layer and layer norms, by path, and its logits."""
    reads: dict[str, tuple[Tensor, Tensor]] = {}
    watched: dict[str, nn.Module] = {
        path: module for path, module in head.named_modules() if isinstance(module, nn.LayerNorm)
    }
    watched[parts.linear] = head.get_submodule(parts.linear)
    hooks = [module.register_forward_hook(_recorder(reads, path)) for path, module in watched.items()]
    logits: Tensor = getattr(head, parts.logits)(features)
    for hook in hooks:
        hook.remove()
    return reads, logits


def _form(name: str, parts: NetworkParts, features: Any, reads: dict[str, tuple[Tensor, Tensor]]) -> HeadForm:
    """Compare what the linear layer, or the norm before it, read with what the features give."""
    target = reads[parts.linear][0].flatten()
    if not isinstance(features, Tensor) or features.dim() not in (3, 4):
        raise unfit(name, NO_MAP)
    channels = (features.shape[1], features.shape[3]) if features.dim() == 4 else (features.shape[2],)
    if len(target) not in channels:
        sizes = f"its map has {channels[0]} channels and its linear layer reads {len(target)}"
        raise unfit(name, f"{sizes}: other layers lie between pooling and classifier")
    norm = None
    for path, (before, after) in reads.items():
        if path != parts.linear and after.numel() == len(target) and torch.equal(after.flatten(), target):
            norm, target = path, before.flatten()
            break
    for form in _candidates(parts.whole, features, norm):
        token = form.class_token(features)
        read = form.map(features).mean(dim=(2, 3)) if token is None else token
        if _close(read.flatten(), target):
            return form
    kind = "its last feature map" if features.dim() == 4 else "its patch tokens, nor a class token"
    raise unfit(name, f"its linear layer does not read the average of {kind}")


def _candidates(network: nn.Module, features: Tensor, norm: str | None) -> Iterator[HeadForm]:
    """Yield the forms that features of such a shape may have."""
    if features.dim() == 4:
        yield HeadForm("planes", norm=norm)
        yield HeadForm("pixels", norm=norm)
        return
    known = getattr(network, "num_prefix_tokens", None)
    for prefix in (known,) if isinstance(known, int) else (0, 1, 2):
        patches = features.shape[1] - prefix
        if patches >= 1 and math.isqrt(patches) ** 2 == patches:
            yield HeadForm("tokens", prefix, norm=norm)
            for token in range(prefix):
                yield HeadForm("tokens", prefix, token, norm)


def _close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= 1e-4 * other.abs().max())


def _recorder(reads: dict[str, tuple[Tensor, Tensor]], path: str) -> Callable[..., None]:
    def record(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        reads[path] = (inputs[0], output)

    return record


@contextmanager
def _evaluating(*modules: nn.Module) -> Iterator[None]:
    """Put modules into evaluation, and each of them back as it was."""
    before = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module, training in zip(modules, before, strict=True):
            module.train(training)


def unfit(name: str, reason: str) -> ModelError:
    """Return the error for a network that region logits cannot be computed of."""
    return ModelError(
        f"network {name!r} does not end in map or tokens -> average or class token -> linear: {reason}"
    )
