"""Describes a trial before it runs: its configuration and where in the study it belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trainables.config.trial import TrialConfig

StageName = Literal["teachers", "search", "confirm", "report"]
"""What a launch goes through, in this order."""

Role = Literal["", "paper", "best", "baseline", "given"]
"""Why a trial is run, see :class:`PlannedTrial`."""


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """Holds the configuration of one trial and where in the study it belongs.

    >>> from trainables.config.data import Data
    >>> config = TrialConfig(data=Data(name="cifar100"), student="resnet8")
    >>> planned = PlannedTrial(config, "teachers", "resnet8", "CE")
    >>> planned.stage, planned.key == config.trial_key
    ('teachers', True)

    Attributes:
        stage: teachers, search or confirm.
        method: name of the table's row.
        role: paper for the paper's configuration; best or baseline for other confirmed ones; given for a
            teacher whose weights are.
        search: label of the search it belongs to; empty outside a search.
        point: the Optuna parameters behind a trial of a search.
    """

    config: TrialConfig
    stage: StageName
    pair: str
    method: str
    role: Role = ""
    search: str = ""
    point: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Trial key of its configuration; the same key is the same run."""
        return self.config.trial_key
