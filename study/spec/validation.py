"""Checks that everything a spec names exists: data set, networks, losses, options, files. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

from study.spec.distillation import METHOD_KNOBS, Distillation
from study.spec.domains import Float, extremes, options_of
from study.spec.features import OWN, Added
from study.spec.grid import NEEDS_FINITE, check_finite
from study.spec.study import StudySpec
from study.spec.training import TRAINING_KNOBS, changed
from trainables import data
from trainables.config.data import Data
from trainables.config.method import FeatureTerm
from trainables.config.open_values import open_fields
from trainables.config.serialization import ConfigError, convert, field_types
from trainables.config.training import Training
from trainables.losses import check_feature_loss, check_logit_loss
from trainables.models.names import check_name


@contextmanager
def at(place: str) -> Iterator[None]:
    """Turn errors inside into :class:`ConfigError` that start with ``place``."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{place}{error}") from None


def check_names(spec: StudySpec) -> None:
    """Raise :class:`ConfigError` for a data set, network, loss, option or file that does not exist."""
    with at("data."):
        data.check(spec.data)
    for index, pair in enumerate(spec.pairs):
        for role, names in (("teacher", options_of(pair.teacher)), ("student", (pair.student,))):
            for name in names:
                with at(f"pairs.{index}.{role}: "):
                    check_name(name)
        if pair.weight_file is not None and not pair.weight_file.is_file():
            raise ConfigError(f"pairs.{index}.weights: no file {pair.weights}")
    for index, method in enumerate(spec.methods):
        for variant in method.variants():
            check_method(variant, f"methods.{index}")
        if spec.search.sampler == "grid":
            check_finite(method.suggest, f"methods.{index}")
    check_training(spec)


def check_training(spec: StudySpec) -> None:
    """Raise :class:`ConfigError` unless every pair's students can be trained as each method says."""
    for number, pair in enumerate(spec.pairs):
        with at(f"pairs.{number}.training."):
            own = pair.student_training(spec.training)
        for index, method in enumerate(spec.methods):
            for variant in method.variants():
                with at(f"methods.{index}.training."):
                    parts = (changed(own, variant.training), changed(spec.data, variant.training))
                check_smoothing(variant, parts[0], f"methods.{index}")
                fields = [(part, *field) for part in parts for field in open_fields(part).items()]
                for part, name, domain in fields:
                    place = "data" if TRAINING_KNOBS[name].holder is Data else "training"
                    place = f"pairs.{number}.training" if name in pair.training else place
                    place = f"methods.{index}.training" if name in variant.training else place
                    _check_open(spec, f"{place}.{name}", name, domain, part)


def check_smoothing(method: Distillation, training: Training, place: str) -> None:
    """Raise :class:`ConfigError` where labels are smoothed for a method without their cross-entropy."""
    weights = extremes(method.ce_weight)
    if not any(weight is None or weight > 0 for weight in weights) and training.label_smoothing != 0:
        raise ConfigError(
            f"{place}.ce_weight: 0 leaves nothing of training.label_smoothing={training.label_smoothing}; "
            "say label_smoothing=0 in this method's training"
        )


def _check_open(spec: StudySpec, place: str, name: str, domain: Any, part: Training | Data) -> None:
    """Raise :class:`ConfigError` where a domain of the training means nothing in this study."""
    needs = TRAINING_KNOBS[name].only_with
    if needs is not None and not set(needs[1]) & set(extremes(getattr(part, needs[0]))):
        values = " or ".join(map(repr, needs[1]))
        raise ConfigError(f"{place}: means something only where {needs[0]} is {values}; give one value")
    if name == "epochs" and spec.search.stop is not None:
        raise ConfigError(
            f"{place}: cannot be searched under early stopping, whose resource is epochs; "
            "set search.stop=None"
        )
    if spec.search.sampler == "grid" and isinstance(domain, Float) and domain.step is None:
        raise ConfigError(f"{place}: {NEEDS_FINITE}")


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
    for options in term.option_corners():
        with at(f"{place}: "):
            check_feature_loss(term.name, options)
    for name in OWN:
        for extreme in extremes(getattr(term, name)):
            if extreme is not None:
                with at(f"{place}."):
                    FeatureTerm(**{"name": term.name, "weight": 0.0, name: extreme})
                    convert(field_types(FeatureTerm)[name], extreme, name)
