"""Every loss by name, with its options, their defaults and ranges; torch-free.

The control plane checks a space file with this table alone; the data plane resolves the same names to
functions and modules (:mod:`trainables.losses.logits`, :mod:`trainables.losses.features`). A space file adds
its own logit loss with :func:`register_logit_loss`.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from trainables.losses.options import LossError, Option, Value, checked, unknown

if TYPE_CHECKING:
    from torch import Tensor

LogitFunction: TypeAlias = "Callable[..., Tensor]"
_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class LossSpec:
    """One named loss: where its code is (``module:name``, or the function itself) and what it takes."""

    paper: str
    source: str | LogitFunction
    options: Mapping[str, Option] = field(default_factory=dict)
    default_weight: float = 1.0  # the published weight of the term beside a cross entropy of weight 1


def _temperature(default: float) -> Option:
    return Option(default, "softmax temperature", low=0, above_low=True)


def _weight(default: float, meaning: str) -> Option:
    return Option(default, meaning, low=0)


_LOGIT_LOSSES: dict[str, LossSpec] = {
    "kd": LossSpec("Hinton et al. 2015", "trainables.losses.kd:kd", {"temperature": _temperature(4.0)}),
    "dkd": LossSpec(
        "Zhao et al., CVPR 2022",
        "trainables.losses.dkd:dkd",
        {
            "alpha": _weight(1.0, "weight of the target-class part"),
            "beta": _weight(8.0, "weight of the part over the other classes"),
            "temperature": _temperature(4.0),
        },
    ),
    "nkd": LossSpec(
        "Yang et al., ICCV 2023",
        "trainables.losses.nkd:nkd",
        {
            "temperature": _temperature(1.0),
            "gamma": _weight(1.5, "weight of the part over the other classes"),
            "as_released": Option(False, "keep the target class among the others, as SDD's code does"),
        },
    ),
}
BUILT_IN_LOGIT_LOSSES = frozenset(_LOGIT_LOSSES)

SCALE_DECOUPLED: Mapping[str, Option] = {
    "consistent_weight": _weight(1.0, "weight of regions as right or wrong as the global view"),
    "complementary_weight": _weight(2.0, "beta, weight of regions that differ from the global view"),
    "reduction": Option("mean", "over the regions of one image", choices=("mean", "sum")),
    "agreement": Option("released", "when a region is consistent", choices=("released", "text")),
}


def logit_loss_names() -> tuple[str, ...]:
    """The names :func:`trainables.losses.logit_loss` takes: the built-in ones first, then registered ones."""
    return tuple(_LOGIT_LOSSES)


def logit_loss_spec(name: str) -> LossSpec:
    """The table's row for ``name``; LossError with the known names otherwise."""
    if name not in _LOGIT_LOSSES:
        raise unknown("logit loss", name, _LOGIT_LOSSES)
    return _LOGIT_LOSSES[name]


def check_logit_loss(name: str, options: Mapping[str, object] | None = None) -> dict[str, Value]:
    """All options of the logit loss ``name``, defaults filled in; LossError names what is wrong.

    >>> check_logit_loss("dkd", {"beta": 6})
    {'alpha': 1.0, 'beta': 6.0, 'temperature': 4.0}
    """
    return checked(name, logit_loss_spec(name).options, options or {})


def check_scale_decoupled(options: Mapping[str, object] | None = None) -> dict[str, Value]:
    """The keyword options of :func:`trainables.losses.scale_decoupled`, checked and completed."""
    return checked("scale_decoupled", SCALE_DECOUPLED, options or {})


def register_logit_loss(name: str) -> Callable[[_F], _F]:
    """Make a per-sample logit loss known under ``name``; usable in a space file, needs no torch.

    The function takes (student [N,K], teacher [N,K], target [N]) and returns [N]; its keyword-only
    parameters, each with a default, are the options:

    >>> @register_logit_loss("logit_mse")
    ... def logit_mse(student, teacher, target, *, temperature=2.0):
    ...     return ((student - teacher) / temperature).square().mean(dim=1)
    >>> check_logit_loss("logit_mse")
    {'temperature': 2.0}

    Loading the same file again replaces its function. A built-in name, or one registered from another
    file, is refused.
    """

    def decorate(function: _F) -> _F:
        if name in BUILT_IN_LOGIT_LOSSES:
            raise LossError(f"logit loss {name!r} is built in and cannot be replaced; choose another name")
        known = _LOGIT_LOSSES.get(name)
        if known is not None and callable(known.source) and _origin(known.source) != _origin(function):
            raise LossError(f"logit loss {name!r} is already registered from {_origin(known.source)[0]}")
        _LOGIT_LOSSES[name] = LossSpec("registered by the user", function, _options_of(name, function))
        return function

    return decorate


def logit_loss_fingerprint(name: str) -> str | None:
    """None for a built-in loss; for a registered one a hash of its source text.

    A trial is a function of its configuration. A name alone does not tell an edited function from the one a
    finished trial was trained with; its fingerprint does.
    """
    source = logit_loss_spec(name).source
    if isinstance(source, str):
        return None
    try:
        text = inspect.getsource(source)
    except (OSError, TypeError) as error:
        raise LossError(f"logit loss {name!r}: its source text cannot be read ({error})") from error
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _origin(function: Callable[..., Any]) -> tuple[str, str]:
    code = getattr(function, "__code__", None)
    return (code.co_filename if code else str(function.__module__), function.__qualname__)


def _options_of(name: str, function: Callable[..., Any]) -> dict[str, Option]:
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) != 3 or any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        raise LossError(
            f"logit loss {name!r}: the function must take (student, teacher, target) and keyword-only options"
        )
    options: dict[str, Option] = {}
    for parameter in parameters:
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        default = parameter.default
        if parameter.annotation in (float, "float") and type(default) is int:
            default = float(default)
        if not isinstance(default, bool | int | float | str | tuple):
            raise LossError(
                f"logit loss {name!r}: option {parameter.name!r} needs a default that is a bool, "
                "an int, a float, a string or a tuple of ints"
            )
        options[parameter.name] = Option(default, f"option of {name}")
    return options
