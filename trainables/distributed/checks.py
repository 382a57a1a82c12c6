"""Checks that several workers can train a trial together; imports neither torch nor Ray."""

from __future__ import annotations

from collections.abc import Iterable

from trainables.config.serialization import require
from trainables.config.training import Training
from trainables.losses.registry import feature_loss_spec, logit_loss_spec


def check_shared(
    bases: Iterable[str],
    features: Iterable[str],
    training: Training,
    workers: int,
    images: Iterable[int],
) -> None:
    """Refuse a trial that ``workers`` cannot share.

    Args:
        bases, features: names of its logit losses and of its feature losses.
        images: numbers of images that epochs may have.

    Raises:
        ConfigError: with what to do about it.
    """
    if workers == 1:
        return
    specs = {name: logit_loss_spec(name) for name in bases} | {
        name: feature_loss_spec(name) for name in features
    }
    for name, spec in specs.items():
        require(
            spec.per_sample,
            f"workers_per_trial: {name} compares the images of a batch with each other, which {workers} "
            "workers that share a batch cannot do; leave it out, or set workers_per_trial=1",
        )
    size, parts = training.batch_size, training.batch_norm_parts
    require(
        parts == 1 or parts % workers == 0,
        f"workers_per_trial: {workers} cannot share batch_norm_parts={parts} of a batch evenly",
    )
    for count in images:
        last = count % size // parts * parts
        last = size if last < 2 * parts or (training.drop_last and count >= size) else last
        require(
            last >= workers,
            f"workers_per_trial: the last batch of an epoch of {count} images has {last}, too few for "
            f"{workers} workers; change workers_per_trial or training.batch_size",
        )
