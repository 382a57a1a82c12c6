"""Says how a student is optimised. Each field is a knob that a study may search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from trainables.config.key import NAMED_SEARCHES, SINCE_LATER
from trainables.config.open_values import NOT_SEARCHED, guarded, only_with
from trainables.config.serialization import require


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
