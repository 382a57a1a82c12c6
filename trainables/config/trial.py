"""Holds all that decides the result of one training run.

A trial is a pure function of its :class:`TrialConfig`: two runs of one configuration on one machine give the
same numbers. Its canonical JSON hashes to :func:`trial_key`, under which checkpoints, records and MLflow runs
are filed, so that resuming, retrying and sharing runs between studies are one and the same look-up.

This module imports neither torch nor Ray.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trainables.config.open_values import NOT_SEARCHED, SEARCHED, guarded, only_with, open_fields
from trainables.config.scales import check_scales
from trainables.config.serialization import ConfigError, from_plain, to_plain

__all__ = ["ConfigError", "Data", "FeatureTerm", "LogitTerm", "Method", "Teacher", "Training", "TrialConfig"]

Scalar = bool | int | float | str
LargeImages = Literal["pooled", "released"]
"""Form of networks for small images above 64 pixels a side, see ``trainables.models.build``."""
Pooling = Literal["map", "released"]
"""Map or cells that regions are pooled from, see :class:`LogitTerm`."""
RELEASED_GRID = 4
"""Cells a side that the released code pools a map to before it pools regions."""
MapKind = Literal["activated", "released"]
"""Kind of maps that feature losses compare, see ``trainables.models.backbone.StageMaps``."""
NOT_IN_KEY: Mapping[str, Any] = {"in_key": False}
"""Field metadata: the field says where a thing is, not what it is, and stays out of the trial key."""
SINCE_LATER: Mapping[str, Any] = {"in_key": "unless default"}
"""Field metadata: at its default the field stays out of the key, as it did before it was there."""
NAMED_SEARCHES: Mapping[str, Any] = {"in_search_name": True}
"""Field metadata: names of searches always held the field, see :func:`without_later_fields`."""


def require(condition: bool, message: str) -> None:
    """Raise :class:`ConfigError` with ``message`` (``field: what is wrong``) unless ``condition`` holds."""
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded()
class Data:
    """Names a data set, the part of it that is used, and the part of train that is held out.

    >>> Data(name="cifar100", classes=10, validation=0.2).classes
    10
    >>> Data(name="cifar100", validation=1.5)
    Traceback (most recent call last):
    ...
    trainables.config.serialization.ConfigError: validation: 1.5 is not between 0 and 1

    Attributes:
        name: a data set of ``trainables.data``, such as ``cifar100``, ``folder`` or
            ``torchvision:Flowers102``.
        root: the folder or file that holds it; not part of the trial key, its content is (``fingerprint``).
        validation: fraction of train held out to choose by, stratified by class, in (0, 1).
        split_seed: seed of the held-out split.
        classes: use the first N classes, or the classes with these indices; None for all.
        fraction: fraction of train that is kept, stratified by class, in (0, 1].
        augment: ``standard`` augmentation of the data set, or ``none``.
        options: parameters of a generated data set, such as the number of scenes.
        fingerprint: hash of the content, filled in when a study is resolved.
    """

    name: str
    root: str | None = field(default=None, metadata=NOT_IN_KEY)
    validation: float = 0.1
    split_seed: int = 0
    classes: int | tuple[int, ...] | None = None
    fraction: float = 1.0
    augment: Literal["standard", "none"] = field(default="standard", metadata=SEARCHED)
    options: Mapping[str, Scalar] = field(default_factory=dict)
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        require(0 < self.validation < 1, f"validation: {self.validation} is not between 0 and 1")
        require(0 < self.fraction <= 1, f"fraction: {self.fraction} is not in (0, 1]")
        if isinstance(self.classes, int):
            require(self.classes >= 2, f"classes: {self.classes} is fewer than 2 classes")
        elif self.classes is not None:
            require(len(set(self.classes)) == len(self.classes) >= 2, "classes: needs 2 or more, each once")


class DefaultRate(float):
    """Marks the default learning rate, which nobody wrote: a published one may stand in for it.

    A rate of the same value that somebody did write is kept, see ``study.spec.Pair.student_training``.

    >>> Training().lr, isinstance(Training().lr, DefaultRate), isinstance(Training(lr=0.05).lr, DefaultRate)
    (0.05, True, False)
    """


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded(searched=True)
class Training:
    """Holds the settings of optimisation: SGD with momentum under a step or cosine schedule.

    Each field is a knob: in a study it may hold a domain, unless it is declared :data:`NOT_SEARCHED`.

    >>> Training(epochs=100, schedule="cosine").lr
    0.05

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step; the last batch of an epoch may be smaller.
        lr: learning rate at the start.
        schedule: ``step`` multiplies by ``lr_decay`` at each of ``milestones`` (epochs done);
            ``cosine`` anneals to zero over ``epochs``.
        lr_warmup_epochs: the learning rate rises linearly to ``lr`` over this many epochs.
        precision: ``float32``, ``tf32`` (float32 whose factors a GPU rounds to 10 bits in products), or
            ``bf16`` autocast of forward passes; losses are float32 in each. ``auto`` stands in a study for
            bf16 where the devices it begins on compute in it; in a trial it has been decided.
        batch_norm_parts: batch normalisation takes its statistics of each of so many equal parts of a batch
            by itself. 1, the whole batch, is usual on one device.
        clip_norm: a longer gradient, over all that is trained, is scaled to this norm before each step; None
            leaves it. SDD's runs have 40.
        drop_last: leave out the last batch of an epoch where it is smaller than the others, as SDD's runs on
            CUB-200 do.
    """

    epochs: int = 240
    batch_size: int = 64
    lr: float = DefaultRate(0.05)
    momentum: float = 0.9
    weight_decay: float = 5e-4
    nesterov: bool = False
    schedule: Literal["step", "cosine"] = "step"
    milestones: tuple[int, ...] = field(default=(150, 180, 210), metadata=only_with("schedule", "step"))
    lr_decay: float = field(default=0.1, metadata=only_with("schedule", "step"))
    lr_warmup_epochs: int = 0
    precision: Literal["auto", "float32", "tf32", "bf16"] = field(default="auto", metadata=NOT_SEARCHED)
    batch_norm_parts: int = field(default=1, metadata={**SINCE_LATER, **NAMED_SEARCHES})
    clip_norm: float | None = field(default=None, metadata=SINCE_LATER)
    drop_last: bool = field(default=False, metadata=SINCE_LATER)

    def __post_init__(self) -> None:
        require(self.epochs >= 1, f"epochs: {self.epochs} is fewer than 1")
        require(self.batch_size >= 2, f"batch_size: {self.batch_size} is fewer than 2")
        require(self.lr > 0, f"lr: {self.lr} is not above 0")
        require(0 <= self.momentum < 1, f"momentum: {self.momentum} is not in [0, 1)")
        require(self.weight_decay >= 0, f"weight_decay: {self.weight_decay} is below 0")
        require(0 < self.lr_decay <= 1, f"lr_decay: {self.lr_decay} is not in (0, 1]")
        require(self.lr_warmup_epochs >= 0, f"lr_warmup_epochs: {self.lr_warmup_epochs} is below 0")
        require(
            all(a < b for a, b in zip(self.milestones, self.milestones[1:], strict=False)),
            f"milestones: {self.milestones} do not rise",
        )
        clip = self.clip_norm
        require(clip is None or clip > 0, f"clip_norm: {clip} is not above 0; None clips nothing")
        parts = self.batch_norm_parts
        require(
            parts == 1 or (parts > 1 and self.batch_size % parts == 0 and self.batch_size >= 2 * parts),
            f"batch_norm_parts: {parts} parts of a batch of {self.batch_size} are not equal, of 2 or more",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitTerm:
    """Describes the logit loss alpha * (D_con + beta * D_com), eq. 10 and 11 of the paper, for one base loss.

    >>> LogitTerm(base="dkd").label, LogitTerm(base="dkd", scales=(1, 2, 4)).label
    ('DKD', 'SD-DKD')

    Attributes:
        base: logit loss, see ``trainables.losses.logit_loss_names``, or a registered one.
        options: its own parameters, such as ``temperature``.
        code: hash of the source of a registered loss, so that an edited one is another trial.
        alpha: weight of the whole term.
        scales: the set M; a scale m splits the map into m x m regions. (1,) is the base loss itself.
        consistent_weight, complementary_weight: weights of D_con and D_com (beta).
        reduction: ``mean`` over regions (released code) or ``sum`` (eq. 9).
        agreement: when a region is complementary: ``released`` (right xor right) or ``text`` (other class).
        pooling: each scale's cells are pooled from the ``map`` (eq. 6), or, as ``released``, from 4x4 cells
            of it; one and the same where 4 divides the map's sides.
        warmup_epochs: the term's weight rises linearly to alpha over this many epochs.
        standardize: whether the base gets logits over their spread: ``no``, each ``region`` over its own, or
            all over that of the ``whole`` image's.
    """

    base: str = "kd"
    options: Mapping[str, Scalar] = field(default_factory=dict)
    code: str | None = None
    alpha: float = 1.0
    scales: tuple[int, ...] = (1,)
    consistent_weight: float = 1.0
    complementary_weight: float = 1.0
    reduction: Literal["mean", "sum"] = "mean"
    agreement: Literal["released", "text"] = "released"
    warmup_epochs: int = 0
    standardize: Literal["no", "region", "whole"] = field(default="no", metadata=SINCE_LATER)
    pooling: Pooling = field(default="map", metadata=SINCE_LATER)

    def __post_init__(self) -> None:
        try:
            check_scales(self.scales)
        except ValueError as error:
            raise ConfigError(str(error).replace("scales", "scales:", 1)) from None
        require(
            self.pooling == "map" or not any(RELEASED_GRID % scale for scale in self.scales),
            f"pooling: 'released' pools 4x4 cells, which scales {self.scales} do not all divide; say 'map'",
        )
        for name in ("alpha", "consistent_weight", "complementary_weight", "warmup_epochs"):
            require(getattr(self, name) >= 0, f"{name}: {getattr(self, name)} is below 0")

    @property
    def decoupled(self) -> bool:
        """True where any region beside the whole, or any weight beside 1, takes part."""
        return self.scales != (1,) or (self.consistent_weight, self.complementary_weight) != (1.0, 1.0)

    @property
    def label(self) -> str:
        """Name that tables use: KD, SD-KD, KD+LS (standardised), SD-KD+LSW (by the whole image)."""
        how = "region" if self.standardize == "whole" and not self.decoupled else self.standardize
        standardised = {"no": "", "region": "+LS", "whole": "+LSW"}[how]
        return ("SD-" if self.decoupled else "") + self.base.upper() + standardised


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureTerm:
    """Describes weight * L_feature for one feature loss (fitnet, at, sp, rkd, pkt, crd, reviewkd).

    >>> FeatureTerm(name="at", weight=1000.0).warmup_epochs
    0

    Attributes:
        options: the loss's own parameters.
        warmup_epochs: the term's weight rises linearly to ``weight`` over this many epochs.
    """

    name: str
    weight: float
    options: Mapping[str, Scalar | tuple[int, ...]] = field(default_factory=dict)
    warmup_epochs: int = 0

    def __post_init__(self) -> None:
        require(self.weight >= 0, f"weight: {self.weight} is below 0")
        require(self.warmup_epochs >= 0, f"warmup_epochs: {self.warmup_epochs} is below 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """Describes the loss of a run: ce_weight * L_CE + logit term + sum of feature terms.

    Without terms it is plain supervised training.

    >>> Method().label, Method(logit=LogitTerm(), features=(FeatureTerm(name="crd", weight=0.8),)).label
    ('CE', 'KD+CRD')

    Attributes:
        maps: the maps of wide ResNets, MobileNetV2 and ShuffleV2 that feature losses compare: ``released``,
            those of RepDistiller and mdistiller (before the closing layers), or ``activated`` (after them).
    """

    ce_weight: float = 1.0
    logit: LogitTerm | None = None
    features: tuple[FeatureTerm, ...] = ()
    maps: MapKind = field(default="activated", metadata=SINCE_LATER)

    def __post_init__(self) -> None:
        require(self.ce_weight >= 0, f"ce_weight: {self.ce_weight} is below 0")

    @property
    def label(self) -> str:
        """Name that tables use: CE, KD, SD-KD, SD-KD+LS, FITNET, KD+CRD, ..."""
        parts = [self.logit.label] if self.logit else []
        parts += [term.name.upper() for term in self.features]
        return "+".join(parts) or "CE"


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
        text = json.dumps(_keyed(self), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _keyed(value: Any) -> Any:
    """Return ``to_plain``'s result without fields that are not in the key; 4.0 and 4 are the same number."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if _in_key(f, value)}
        return {name: _keyed(item) for name, item in kept.items()}
    if isinstance(value, Mapping):
        return {key: _keyed(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_keyed(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def without_later_fields(value: Any) -> Any:
    """Return :func:`to_plain` of ``value``, less the fields of :data:`SINCE_LATER` at their defaults.

    Names of searches are hashes of it: a field that is new must not give every search a new name.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        every = dataclasses.fields(value)
        kept = [item for item in every if item.metadata.get("in_search_name") or _changed(item, value)]
        return {item.name: without_later_fields(getattr(value, item.name)) for item in kept}
    if isinstance(value, Mapping):
        return {str(key): without_later_fields(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [without_later_fields(item) for item in value]
    return to_plain(value)


def _changed(item: dataclasses.Field[Any], of: Any) -> bool:
    """Tell whether a field counts: not where one of :data:`SINCE_LATER` is at its default."""
    if item.metadata.get("in_key") != "unless default":
        return True
    factory = item.default_factory
    return bool(getattr(of, item.name) != (item.default if factory is dataclasses.MISSING else factory()))


def _in_key(item: dataclasses.Field[Any], of: Any) -> bool:
    return bool(item.metadata.get("in_key", True)) and _changed(item, of)
