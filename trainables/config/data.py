"""Says which images a trial is about: the data set, the part of it, the part held out, the augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from trainables.config.key import NOT_IN_KEY, SINCE_LATER
from trainables.config.open_values import SEARCHED, check_meaning, guarded, only_with
from trainables.config.serialization import Scalar, require

MOST_STRENGTH = 2.0
"""Most that ``Data.augment_strength`` may be: crops move twice as far as usual."""


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
        augment_strength: how far ``standard`` augmentation goes: 1 as usual, 0 not at all, in between crops
            that move, or shrink, by that share and as many fewer flips. Above 1, up to 2, crops of images
            that are kept in memory move further; flips stay at a half.
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
    augment_strength: float = field(
        default=1.0, metadata={**SEARCHED, **SINCE_LATER, **only_with("augment", "standard")}
    )

    def __post_init__(self) -> None:
        require(0 < self.validation < 1, f"validation: {self.validation} is not between 0 and 1")
        require(0 < self.fraction <= 1, f"fraction: {self.fraction} is not in (0, 1]")
        strength = self.augment_strength
        require(
            0 <= strength <= MOST_STRENGTH, f"augment_strength: {strength} is not in [0, {MOST_STRENGTH:g}]"
        )
        check_meaning(self, "augment")
        if isinstance(self.classes, int):
            require(self.classes >= 2, f"classes: {self.classes} is fewer than 2 classes")
        elif self.classes is not None:
            require(len(set(self.classes)) == len(self.classes) >= 2, "classes: needs 2 or more, each once")
