"""Holds all that decides the result of one training run.

A trial is a pure function of its :class:`TrialConfig`: two runs of one configuration on one machine give the
same numbers. Its canonical JSON hashes to its ``trial_key``, under which checkpoints, records and MLflow runs
are filed, so that resuming, retrying and sharing runs between studies are one and the same look-up.

This module imports neither torch nor Ray.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trainables.config.data import Data
from trainables.config.key import SINCE_LATER, key_of
from trainables.config.method import Method
from trainables.config.open_values import open_fields
from trainables.config.serialization import ConfigError, from_plain, require, to_plain
from trainables.config.training import Training

LargeImages = Literal["pooled", "released"]
"""Form of networks for small images above 64 pixels a side, see ``trainables.models.build``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """Names a trained teacher: the network's name and the SHA-256 of its weights, under which they are filed.

    >>> Teacher(name="resnet32x4", weights="0" * 64).name
    'resnet32x4'
    """

    name: str
    weights: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialConfig:
    """Says all that decides the result of one training run; its hash is the trial's key.

    >>> config = TrialConfig(data=Data(name="cifar100"), student="resnet8x4")
    >>> TrialConfig.from_dict(config.to_dict()) == config, len(config.trial_key)
    (True, 16)

    Attributes:
        fit: train on ``train`` (what is left when the validation part is held out), and measure that part
            after every epoch; or train on ``all`` of it, which leaves nothing to measure.
        test: when the test split is measured: ``never``, at the ``end``, or after ``every`` epoch (for the
            "best test epoch" of published code, beside the honest number).
        seed: of initial weights, order of images and augmentation.
        weights: SHA-256 of filed weights that the student has already: it is measured as it is, in one
            report, and nothing is trained.
        initial: SHA-256 of filed weights that training starts from, all but the classifier's; the published
            ones where ``training.init`` says so, else None.
        large_images: what networks for small images are above 64 pixels a side: ``pooled``, or ``released``
            as in SDD's experiments on CUB-200.
    """

    data: Data
    student: str
    teacher: Teacher | None = None
    method: Method = field(default_factory=Method)
    training: Training = field(default_factory=lambda: Training(precision="float32"))
    fit: Literal["train", "all"] = "train"
    test: Literal["never", "end", "every"] = "never"
    seed: int = 0
    weights: str | None = field(default=None, metadata=SINCE_LATER)
    large_images: LargeImages = field(default="pooled", metadata=SINCE_LATER)
    initial: str | None = field(default=None, metadata=SINCE_LATER)

    def __post_init__(self) -> None:
        for part in (self.data, self.training):
            for name in open_fields(part):
                raise ConfigError(f"{name}: a trial has one value, not {getattr(part, name)}")
        require(
            self.training.precision != "auto",
            "training.precision: 'auto' is undecided; float32, tf32 or bf16?",
        )
        distils = self.method.logit is not None or bool(self.method.features)
        require(self.teacher is not None or not distils, "teacher: missing, the method distils from one")
        require(not (distils and self.weights), "weights: given ones are measured, nothing distils into them")
        begins = self.training.init == "published"
        require(begins == (self.initial is not None), "initial: goes with training.init='published' alone")
        require(self.weights is None or self.training.epochs == 1, "weights: given ones are reported on once")
        require(
            self.fit == "train" or self.test != "never", "fit: 'all' measures nothing where test is 'never'"
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrialConfig:
        """Build the configuration from what :meth:`to_dict` gave.

        Raises:
            ConfigError: a field is wrong; the message begins with its path.
        """
        return from_plain(cls, data)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as nested dicts, lists and scalars, which JSON can hold."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @property
    def trial_key(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON: sorted keys, locations left out."""
        return key_of(self)
