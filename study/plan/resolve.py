"""Resolves a spec against its data into a plan, and checks that all of it fits together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from study.errors import SpecError
from study.plan.checks import check_fits
from study.plan.plan import Plan
from study.plan.precision import decided, left_open
from study.plan.starts import published_starts
from study.spec.domains import options_of
from study.spec.study import StudySpec
from study.spec.training import closed
from trainables.config.serialization import ConfigError
from trainables.engine.device import best_precision
from trainables.losses.user_losses import registered_sources

if TYPE_CHECKING:
    from trainables.engine.device import Precision


def resolve(spec: StudySpec, precision: Callable[[], Precision] = best_precision) -> Plan:
    """Look up what ``spec`` names and check that it fits together; creates nothing.

    Args:
        precision: tells what ``auto`` comes to; asked where ``spec`` has one.

    Raises:
        ConfigError: the data cannot be read, a teacher's weights are not its network's, or a scale does not
            fit a network's last map.
    """
    from trainables import data

    try:
        place = data.root(spec.data).absolute() if spec.data.root is not None else None
        located = dataclasses.replace(closed(spec.data), root=None if place is None else str(place))
        found = dataclasses.replace(located, fingerprint=data.fingerprint(located))
        raw = data.load_raw(found)
        data.check_classes(found, len(raw.classes))
    except ConfigError as error:
        raise ConfigError(f"data.{error}") from None
    auto = precision() if left_open(spec) else None
    begun = published_starts(spec)
    plan = Plan(decided(spec, auto) if auto else spec, found, raw, auto, _user_code(spec), begun)
    check_fits(plan)
    return plan


def resolved(spec: StudySpec, where: str = "", precision: Callable[[], Precision] = best_precision) -> Plan:
    """Resolve ``spec`` as :func:`resolve` does, for a user.

    Args:
        where: first word of an error, such as the space file; the study's name unless given.

    Raises:
        SpecError: in the place of :class:`ConfigError`.
    """
    try:
        return resolve(spec, precision)
    except ConfigError as error:
        raise SpecError(f"{where or spec.name}: {error}") from None


def _user_code(spec: StudySpec) -> tuple[str, ...]:
    """Take the texts that register those losses of the methods that are the user's own."""
    bases = {
        str(base)
        for method in spec.methods
        for variant in method.variants()
        for base in options_of(variant.base)
        if base is not None
    }
    return registered_sources(sorted(bases))
