"""Finds the published weights that trainings of a study start from, and fetches them."""

from __future__ import annotations

from collections.abc import Iterator

from study.spec.domains import extremes, options_of
from study.spec.study import StudySpec
from study.spec.training import changed
from trainables.config.serialization import ConfigError


def published_starts(spec: StudySpec) -> dict[str, str]:
    """Return the hash of the published weights of each network that may start from them, by its name.

    They are fetched for it, once: a trial's key holds the hash of what it starts from.

    Raises:
        ConfigError: there are none, or they cannot be fetched.
    """
    found: dict[str, str] = {}
    for place, network in _starting(spec):
        if network not in found:
            from trainables.models.published import published_sha256

            try:
                found[network] = published_sha256(network)
            except ValueError as error:
                raise ConfigError(f"{place}: {error}") from None
    return found


def _starting(spec: StudySpec) -> Iterator[tuple[str, str]]:
    """Yield place and name of each network whose training may start from published weights."""
    teachers = spec.teacher_training or spec.training
    for number, pair in enumerate(spec.pairs):
        if pair.weights is None and "published" in extremes(teachers.init):
            yield from ((f"pairs.{number}.teacher", str(name)) for name in options_of(pair.teacher))
        own = pair.student_training(spec.training)
        trainings = (changed(own, variant.training) for each in spec.methods for variant in each.variants())
        if any("published" in extremes(training.init) for training in trainings):
            yield f"pairs.{number}.student", pair.student
