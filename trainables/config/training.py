"""Says how a student is optimised. Each field is a knob that a study may search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from trainables.config.key import NAMED_SEARCHES, SINCE_LATER
from trainables.config.open_values import NOT_SEARCHED, check_meaning, guarded, only_with
from trainables.config.serialization import require

WITH_MOMENTUM = ("sgd", "dot")
"""Optimisers that the default learning rate and the published ones are of."""


class DefaultRate(float):
    """Marks the default learning rate, which nobody wrote: a published one may stand in for it.

    A rate of the same value that somebody did write is kept, see ``study.spec.Pair.student_training``.

    >>> Training().lr, isinstance(Training().lr, DefaultRate), isinstance(Training(lr=0.05).lr, DefaultRate)
    (0.05, True, False)
    """


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded(searched=True)
class Training:
    """Holds the settings of optimisation: SGD with momentum, DOT or AdamW, under a step or cosine schedule.

    Each field is a knob: in a study it may hold a domain, unless it is declared :data:`NOT_SEARCHED`.

    >>> Training(epochs=100, schedule="cosine").lr
    0.05

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step; the last batch of an epoch may be smaller.
        lr: learning rate at the start. AdamW needs one that is written, 0.001 or so; the default is SGD's.
        momentum: of SGD and DOT.
        nesterov: of SGD alone.
        weight_decay: SGD adds ``weight_decay * weight`` to the gradient, AdamW takes that share of the weight
            times the learning rate off by itself, so that values near 0.01 to 0.1 are usual with it.
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
        optimizer: ``sgd``, ``dot`` or ``adamw``; see ``trainables.engine.optimizer``.
        dot_delta: how much DOT's momentum for what comes from the teacher is above ``momentum``, and that for
            what comes from the labels below it.
        adam_beta1, adam_beta2: how much of the means of gradients, and of their squares, stays in a step.
        adam_eps: what is added to the root of the mean square.
        label_smoothing: the cross-entropy of the labels, and of no distillation term, is of targets of which
            this share is spread evenly over all classes. What is measured is never smoothed.
        ema_decay: measure, checkpoint and file a moving average of the student's weights, of which this share
            stays in a step, in place of the weights after the last one; None averages nothing. See
            ``trainables.engine.weight_average``.
        mixup, cutmix: a of the Beta(a, a) that says how much of each image is another one's, blended or in a
            box; 0 for none, with both each has half of the steps. The teacher sees the mixed images. See
            ``trainables.data.mixing``.
        init: what training starts from: ``random`` weights, or those that torchvision or timm have
            ``published`` of the network, under a new classifier.
        drop_path: how often the last residual branch of an image is left out in training, those before it
            less often in proportion; None leaves what the network's library has. Networks of timm and
            torchvision have it.
    """

    epochs: int = 240
    batch_size: int = 64
    lr: float = DefaultRate(0.05)
    momentum: float = field(default=0.9, metadata=only_with("optimizer", *WITH_MOMENTUM))
    weight_decay: float = 5e-4
    nesterov: bool = field(default=False, metadata=only_with("optimizer", "sgd"))
    schedule: Literal["step", "cosine"] = "step"
    milestones: tuple[int, ...] = field(default=(150, 180, 210), metadata=only_with("schedule", "step"))
    lr_decay: float = field(default=0.1, metadata=only_with("schedule", "step"))
    lr_warmup_epochs: int = 0
    precision: Literal["auto", "float32", "tf32", "bf16"] = field(default="auto", metadata=NOT_SEARCHED)
    batch_norm_parts: int = field(default=1, metadata={**SINCE_LATER, **NAMED_SEARCHES})
    clip_norm: float | None = field(default=None, metadata=SINCE_LATER)
    drop_last: bool = field(default=False, metadata=SINCE_LATER)
    optimizer: Literal["sgd", "adamw", "dot"] = field(default="sgd", metadata=SINCE_LATER)
    dot_delta: float = field(default=0.075, metadata={**SINCE_LATER, **only_with("optimizer", "dot")})
    adam_beta1: float = field(default=0.9, metadata={**SINCE_LATER, **only_with("optimizer", "adamw")})
    adam_beta2: float = field(default=0.999, metadata={**SINCE_LATER, **only_with("optimizer", "adamw")})
    adam_eps: float = field(default=1e-8, metadata={**SINCE_LATER, **only_with("optimizer", "adamw")})
    label_smoothing: float = field(default=0.0, metadata=SINCE_LATER)
    ema_decay: float | None = field(default=None, metadata=SINCE_LATER)
    mixup: float = field(default=0.0, metadata=SINCE_LATER)
    cutmix: float = field(default=0.0, metadata=SINCE_LATER)
    drop_path: float | None = field(default=None, metadata=SINCE_LATER)
    init: Literal["random", "published"] = field(default="random", metadata=SINCE_LATER)

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
        check_meaning(self, "optimizer")
        require(
            self.optimizer in WITH_MOMENTUM or not isinstance(self.lr, DefaultRate),
            f"lr: missing; the default of {self.lr} is SGD's, name one for {self.optimizer} (0.001 is usual)",
        )
        momenta = (self.momentum - self.dot_delta, self.momentum + self.dot_delta)
        require(
            self.optimizer != "dot" or all(0 <= momentum < 1 for momentum in momenta),
            f"dot_delta: {self.dot_delta} about a momentum of {self.momentum} makes {momenta[0]:g} and "
            f"{momenta[1]:g}, which are not both in [0, 1)",
        )
        for name in ("adam_beta1", "adam_beta2"):
            require(0 <= getattr(self, name) < 1, f"{name}: {getattr(self, name)} is not in [0, 1)")
        require(self.adam_eps > 0, f"adam_eps: {self.adam_eps} is not above 0")
        share, decay = self.label_smoothing, self.ema_decay
        require(0 <= share < 1, f"label_smoothing: {share} is not in [0, 1)")
        require(
            decay is None or 0 < decay < 1,
            f"ema_decay: {decay} is not between 0 and 1; None averages nothing",
        )
        for name in ("mixup", "cutmix"):
            require(getattr(self, name) >= 0, f"{name}: {getattr(self, name)} is below 0; 0 mixes nothing")
        dropped = self.drop_path
        require(dropped is None or 0 <= dropped < 1, f"drop_path: {dropped} is not in [0, 1)")
        parts = self.batch_norm_parts
        require(
            parts == 1 or (parts > 1 and self.batch_size % parts == 0 and self.batch_size >= 2 * parts),
            f"batch_norm_parts: {parts} parts of a batch of {self.batch_size} are not equal, of 2 or more",
        )

    @property
    def mixes(self) -> bool:
        """True where images are mixed, so that none is seen twice."""
        return self.mixup > 0 or self.cutmix > 0

    @property
    def weights_of(self) -> dict[str, str]:
        """Which weights are measured and filed, for records and tags; empty for those after the last step.

        >>> Training(ema_decay=0.99).weights_of
        {'weights_of': 'moving average, decay 0.99'}
        """
        decay = self.ema_decay
        return {} if decay is None else {"weights_of": f"moving average, decay {decay:g}"}
