"""Finds every loss by name, with its options, their defaults and ranges; torch-free.

The control plane checks a space file with this table alone; the data plane resolves the same names to
functions and modules (:mod:`trainables.losses.logits`, :mod:`trainables.losses.features`). A space file adds
its own logit loss with :func:`register_logit_loss`.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import linecache
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from trainables.losses.catalog import (
    BUILT_IN_LOGIT_LOSSES,
    FEATURE_LOSSES,
    LOGIT_LOSSES,
    SCALE_DECOUPLED,
    LossSpec,
    RegisteredCode,
)
from trainables.losses.options import LossError, LossOption, Value, checked, unknown
from trainables.losses.user_modules import beside, carrying, provided

_F = TypeVar("_F", bound=Callable[..., Any])


def logit_loss_names() -> tuple[str, ...]:
    """Return the names :func:`trainables.losses.logit_loss` takes: built-in ones, then registered ones."""
    return tuple(LOGIT_LOSSES)


def logit_loss_spec(name: str) -> LossSpec:
    """Return the table's row for ``name``; LossError with the known names otherwise."""
    if name not in LOGIT_LOSSES:
        raise unknown("logit loss", name, LOGIT_LOSSES)
    return LOGIT_LOSSES[name]


def check_logit_loss(name: str, options: Mapping[str, object] | None = None) -> dict[str, Value]:
    """Return all options of the logit loss ``name``, defaults filled in; LossError names what is wrong.

    >>> check_logit_loss("dkd", {"beta": 6})
    {'alpha': 1.0, 'beta': 6.0, 'temperature': 4.0}
    """
    return checked(name, logit_loss_spec(name).options, options or {})


def feature_loss_names() -> tuple[str, ...]:
    """Return the names :func:`trainables.losses.feature_loss` takes."""
    return tuple(FEATURE_LOSSES)


def feature_loss_spec(name: str) -> LossSpec:
    """Return the row for ``name``, with its published ``default_weight``; LossError for unknown names."""
    if name not in FEATURE_LOSSES:
        raise unknown("feature loss", name, FEATURE_LOSSES)
    return FEATURE_LOSSES[name]


def check_feature_loss(
    name: str, options: Mapping[str, object] | None = None, num_samples: int | None = None
) -> dict[str, Value]:
    """Return all options of the feature loss ``name``, defaults filled in; LossError names what is wrong.

    Given the size of the train set, CRD's number of negatives is checked against it.

    >>> check_feature_loss("fitnet", {"layer": 3})
    {'layer': 3}
    """
    values = checked(name, feature_loss_spec(name).options, options or {})
    negatives = values.get("negatives")
    if num_samples is not None and isinstance(negatives, int) and negatives >= num_samples:
        raise LossError(
            f"{name}.negatives: {negatives} negatives need a train set of more than {negatives} images and "
            f"this one has {num_samples}; set negatives to at most {max(num_samples - 1, 0)}"
        )
    return values


def check_scale_decoupled(options: Mapping[str, object] | None = None) -> dict[str, Value]:
    """Return the keyword options of :func:`trainables.losses.scale_decoupled`, checked and completed."""
    return checked("scale_decoupled", SCALE_DECOUPLED, options or {})


def register_logit_loss(name: str, *, grouped: bool = False) -> Callable[[_F], _F]:
    """Make a logit loss of one's own known under ``name``; usable in a space file, needs no torch.

    The function takes (student [N,K], teacher [N,K], target [N]) and returns [N]; its keyword-only
    parameters, each with a default, are the options:

    >>> @register_logit_loss("logit_mse")
    ... def logit_mse(student, teacher, target, *, temperature=2.0):
    ...     return ((student - teacher) / temperature).square().mean(dim=1)
    >>> check_logit_loss("logit_mse")
    {'temperature': 2.0}

    A loss that compares images with each other is registered as ``grouped``. It takes [G,B,K] with labels
    [G,B] and returns [G,B]: G groups, each a batch of B images, and images are to be compared within a group
    alone. Plain, the batch is the one group; where scales are decoupled, each region of all images is one:

    >>> @register_logit_loss("similar_images", grouped=True)
    ... def similar_images(student, teacher, target):
    ...     gap = student @ student.transpose(1, 2) - teacher @ teacher.transpose(1, 2)
    ...     return gap.square().mean(dim=2)

    Loading the same file again replaces its function. A built-in name, or one registered from another
    file, is refused.
    """

    def decorate(function: _F) -> _F:
        if name in BUILT_IN_LOGIT_LOSSES:
            raise LossError(f"logit loss {name!r} is built in and cannot be replaced; choose another name")
        known = LOGIT_LOSSES.get(name)
        if known is not None and callable(known.source) and _origin(known.source) != _origin(function):
            raise LossError(f"logit loss {name!r} is already registered from {_origin(known.source)[0]}")
        LOGIT_LOSSES[name] = LossSpec(
            "registered by the user",
            function,
            _options_of(name, function),
            per_sample=not grouped,
            code=_code_of(function, grouped),
        )
        return function

    return decorate


def logit_loss_fingerprint(name: str) -> str | None:
    """Return a hash of a registered loss's source text; None for a built-in one.

    A trial is a function of its configuration. A name alone does not tell an edited function from the one a
    finished trial was trained with; its fingerprint does. It was taken when the loss was registered.
    """
    code = logit_loss_spec(name).code
    if code is None:
        return None
    if not code.fingerprint:
        raise LossError(f"logit loss {name!r}: its source text cannot be read; write it in a file")
    return code.fingerprint


def check_registered_code(name: str, fingerprint: str | None) -> None:
    """Refuse to train with another text of the loss ``name`` than the one a trial is filed under.

    Raises:
        LossError: this process has another one registered.
    """
    if logit_loss_fingerprint(name) != fingerprint:
        raise LossError(
            f"logit loss {name!r}: this process has another text of it than the trial's configuration names; "
            "launch again, so that the loss of the space file as it is now gets trials of its own"
        )


def _origin(function: Callable[..., Any]) -> tuple[str, str]:
    """Tell where a function was written; texts that trial processes run all count as one place."""
    code = getattr(function, "__code__", None)
    place = code.co_filename if code else str(function.__module__)
    return ("<space>" if place.startswith("<space ") else place, function.__qualname__)


def _code_of(function: Callable[..., Any], grouped: bool) -> RegisteredCode:
    """Take the text of ``function`` and of its file; empty where there is none, as of a typed-in program.

    With the file go the modules of the user's that it imports; they are part of what the loss computes.
    """
    try:
        text = inspect.getsource(function)
        file = inspect.getsourcefile(function) or ""
    except (OSError, TypeError):
        return RegisteredCode("", "")
    whole = "".join(linecache.getlines(file))
    runs, modules = provided(whole, function.__module__)
    if function.__module__ == "__main__":  # of a program of the user's own, which imports as usual
        modules = beside(Path(file), whole)
    text += "grouped" if grouped else ""
    hashed = text + (json.dumps(sorted(modules.items())) if modules else "")
    return RegisteredCode(hashlib.sha256(hashed.encode()).hexdigest()[:16], carrying(runs, modules))


def _options_of(name: str, function: Callable[..., Any]) -> dict[str, LossOption]:
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) != 3 or any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        raise LossError(
            f"logit loss {name!r}: the function must take (student, teacher, target) and keyword-only options"
        )
    options: dict[str, LossOption] = {}
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
        options[parameter.name] = LossOption(default, f"option of {name}")
    return options
