"""Whether everything a spec names exists: data set, networks, losses, options, files. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

from study.spec.distillation import METHOD_KNOBS, Distillation
from study.spec.domains import options_of
from study.spec.features import OWN, Added
from study.spec.grid import check_finite
from study.spec.study import StudySpec
from trainables import data
from trainables.config.serialization import ConfigError, convert, field_types
from trainables.config.trial import FeatureTerm
from trainables.losses import check_feature_loss, check_logit_loss
from trainables.models.names import check_name


@contextmanager
def at(place: str) -> Iterator[None]:
    """Errors inside are :class:`ConfigError` that start with ``place``."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{place}{error}") from None


def check_names(spec: StudySpec) -> None:
    """Raise :class:`ConfigError` for a data set, network, loss, option or file that does not exist."""
    with at("data."):
        data.check(spec.data)
    for index, pair in enumerate(spec.pairs):
        for role, name in (("teacher", pair.teacher), ("student", pair.student)):
            with at(f"pairs.{index}.{role}: "):
                check_name(name)
        with at(f"pairs.{index}.training."):
            pair.student_training(spec.training)
        if pair.weight_file is not None and not pair.weight_file.is_file():
            raise ConfigError(f"pairs.{index}.weights: no file {pair.weights}")
    for index, method in enumerate(spec.methods):
        for variant in method.variants():
            check_method(variant, f"methods.{index}")
        if spec.search.sampler == "grid":
            check_finite(method.suggest, f"methods.{index}")


def check_method(method: Distillation, place: str) -> None:
    """Raise :class:`ConfigError` unless each value and each end of a domain of ``method`` is allowed."""
    for base in options_of(method.base):
        if base is not None:
            options = method.options.get(str(base), {})
            for values in product(*map(extremes, options.values())):
                with at(f"{place}.base: "):
                    check_logit_loss(str(base), dict(zip(options, values, strict=True)))
    for number, term in enumerate(method.features):
        _check_feature(term, f"{place}.features.{number}")
    for row in METHOD_KNOBS:
        for extreme in extremes(getattr(method, row.name)):
            if extreme is not None:
                row.checked(extreme, f"{place}.{row.name}")


def _check_feature(term: Added, place: str) -> None:
    """Raise :class:`ConfigError` unless the loss exists and takes each end of what is searched of it."""
    for values in product(*map(extremes, term.options.values())):
        with at(f"{place}: "):
            check_feature_loss(term.name, dict(zip(term.options, values, strict=True)))
    for name in OWN:
        for extreme in extremes(getattr(term, name)):
            if extreme is not None:
                with at(f"{place}."):
                    FeatureTerm(**{"name": term.name, "weight": 0.0, name: extreme})
                    convert(field_types(FeatureTerm)[name], extreme, name)


def extremes(value: Any) -> list[Any]:
    """The values to check for ``value``: all options of a choice, both ends of a range, or itself."""
    return list(options_of(value)) or [value.low, value.high]
