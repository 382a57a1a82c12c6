"""Checks that what a plan names fits together: weights, networks, scales, workers; runs networks to see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from study.plan.user_sampler import check_user_sampler
from study.spec.domains import extremes, options_of
from study.spec.sampler_factory import SamplerFactory
from study.spec.search import COSTS
from study.spec.study import Pair, StudySpec
from study.spec.training import changed, corners
from trainables.config.serialization import ConfigError
from trainables.config.training import Training
from trainables.distributed.checks import check_shared
from trainables.losses import check_feature_loss

if TYPE_CHECKING:
    from study.plan.plan import Plan


def check_fits(plan: Plan) -> None:
    """Raise :class:`ConfigError` that names the field which does not fit."""
    check_objective(plan)
    if isinstance(plan.spec.search.sampler, SamplerFactory):
        check_user_sampler(plan.spec.search.sampler, len(plan.spec.search.objectives))
    check_augmentation(plan)
    check_counts(plan)
    check_limits(plan)
    check_weights(plan)
    check_scales(plan)
    check_drop_path(plan)
    check_workers(plan)


def check_objective(plan: Plan) -> None:
    """Refuse a metric that is not measured on so few classes."""
    if plan.spec.search.maximize == "val/top5" and plan.num_classes < 6:
        raise ConfigError(f"search.maximize: val/top5 needs six classes, the data have {plan.num_classes}")


def check_augmentation(plan: Plan) -> None:
    """Refuse an augmentation that the study's images cannot have."""
    from trainables.data.raw import check_strength

    methods = [variant.training for method in plan.spec.methods for variant in method.variants()]
    for place, changes in (
        ("data", {}),
        *((f"methods.{i}.training", each) for i, each in enumerate(methods)),
    ):
        data = changed(plan.spec.data, changes)
        for strength in extremes(data.augment_strength):
            try:
                check_strength(plan.raw.augmentation, strength)
            except ConfigError as error:
                raise ConfigError(f"{place}.{error}") from None


def check_limits(plan: Plan) -> None:
    """Refuse limits on costs that a pair with a search of its own, or every pair, is beyond."""
    search = plan.spec.search
    limits: dict[str, float] = {name: most for name, most in search.subject_to.items() if name in COSTS}
    beyond = {}
    for pair in plan.spec.each_pair if limits else ():
        for name, cost in plan.costs(pair, limits).items():
            if cost > limits[name]:
                beyond[pair.label] = f"{pair.student} has {cost:.4g} {name.partition('/')[2]}"
    if beyond and (search.pairs == "each" or len(beyond) == len(plan.spec.each_pair)):
        remedy = "leave the pair out" if search.pairs == "each" else "no pair is within it"
        raise ConfigError(f"search.subject_to: {next(iter(beyond.values()))}, which is beyond it; {remedy}")


def check_counts(plan: Plan) -> None:
    """Refuse what counting labels shows: a class without images in a part, or a train part that is too small.

    The part that is trained on while searching is meant; confirming runs train on more.
    """
    from trainables.data.epoch_plan import trained
    from trainables.data.partition import split

    spec = plan.spec
    try:
        size = len(split(plan.raw, plan.data).train)
    except ConfigError as error:
        raise ConfigError(f"data.{error}") from None
    for pair in spec.each_pair:
        for training in _trainings(spec, pair):
            if not trained(size, training.batch_size, training.batch_norm_parts, training.drop_last):
                raise ConfigError(
                    f"training.batch_norm_parts: the {size} images of the train part fill no batch of "
                    f"{training.batch_norm_parts} parts of 2 or more"
                )
    for index, method in enumerate(spec.methods):
        for variant in method.variants():
            for number, term in enumerate(variant.features):
                try:
                    for options in term.option_corners():
                        check_feature_loss(term.name, options, size)
                except ValueError as error:
                    raise ConfigError(f"methods.{index}.features.{number}: {error}") from None


def _trainings(spec: StudySpec, pair: Pair) -> Iterator[Training]:
    """Yield how the networks of ``pair`` may be trained, at the extremes of what is searched."""
    own = pair.student_training(spec.training)
    changes = [variant.training for method in spec.methods for variant in method.variants()]
    for training in (*(changed(own, each) for each in changes), spec.teacher_training or spec.training):
        yield from corners(training)


def check_weights(plan: Plan) -> None:
    """Refuse a teacher's weight file that does not hold the weights of its network for these classes."""
    from trainables.teacher.importing import given_state

    for number, pair in enumerate(plan.spec.pairs):
        if pair.weights is not None:
            try:
                form = plan.large_images(str(pair.teacher))
                weights = pair.weight_file or pair.weights
                given_state(weights, str(pair.teacher), plan.num_classes, plan.image_size, form)
            except ValueError as error:
                raise ConfigError(f"pairs.{number}.weights: {error}") from None


def check_scales(plan: Plan) -> None:
    """Refuse scales that cut the last map of a teacher or student into cells smaller than half a pixel.

    The published runs pool MobileNetV2's 2x2 map at scale 4, which repeats each pixel; finer than that, every
    further cell is a copy.
    """
    from trainables.models.profile import final_map

    names = [
        (number, role, str(name))
        for number, pair in enumerate(plan.spec.pairs)
        for role, field in (("teacher", pair.teacher), ("student", pair.student))
        for name in options_of(field)
    ]
    for number, role, name in names:
        try:
            form = plan.large_images(name)
            side = min(final_map(name, plan.num_classes, plan.image_size, form))
        except ValueError as error:
            raise ConfigError(f"pairs.{number}.{role}: {error}") from None
        for index, method in enumerate(plan.spec.methods):
            sets = (scales for variant in method.variants() for scales in options_of(variant.scales))
            finest = max((max(scales) for scales in sets if scales), default=1)
            if finest > 2 * side:
                raise ConfigError(
                    f"methods.{index}.scales: {finest} does not fit the {side}x{side} map of {name}; "
                    f"the finest that does is {2 * side}"
                )


def check_drop_path(plan: Plan) -> None:
    """Refuse a drop path in the training of a network that has no branches to drop."""
    import torch

    from trainables import models

    spec = plan.spec
    for number, pair in enumerate(spec.pairs):
        own = pair.student_training(spec.training)
        changes = [variant.training for method in spec.methods for variant in method.variants()]
        trained = [(pair.student, "student", changed(own, each)) for each in changes]
        if pair.weights is None:
            training = spec.teacher_training or spec.training
            trained += [(str(name), "teacher", training) for name in options_of(pair.teacher)]
        for name, role, training in trained:
            rates = {rate for each in corners(training) if (rate := each.drop_path) is not None}
            for rate in sorted(rates)[-1:]:
                try:
                    with torch.device("meta"):
                        models.build(name, plan.num_classes, image_size=plan.image_size, drop_path=rate)
                except ValueError as error:
                    raise ConfigError(
                        f"pairs.{number}.{role}: training.drop_path is {rate:g}, but {error}"
                    ) from None


def check_workers(plan: Plan) -> None:
    """Refuse methods and batches that the workers of one trial cannot share."""
    from trainables.data.partition import split

    spec, workers = plan.spec, plan.spec.resources.workers_per_trial
    if workers == 1:
        return
    parts = split(plan.raw, plan.data)
    images = (len(parts.train), len(parts.train) + len(parts.validation))
    try:
        for pair in spec.each_pair:
            for training in _trainings(spec, pair):
                rows = [variant for method in spec.methods for variant in method.variants()]
                bases = [str(base) for row in rows for base in options_of(row.base) if base is not None]
                features = [added.name for row in rows for added in row.features]
                check_shared(bases, features, training, workers, images)
    except ConfigError as error:
        raise ConfigError(f"resources.{error}") from None
