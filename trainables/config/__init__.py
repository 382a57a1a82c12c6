"""Holds all that decides the result of one training run, in one frozen dataclass, and its key."""

from trainables.config.serialization import ConfigError
from trainables.config.trial import (
    Data,
    FeatureTerm,
    LogitTerm,
    Method,
    Scalar,
    Teacher,
    Training,
    TrialConfig,
    require,
)

__all__ = [
    "ConfigError",
    "Data",
    "FeatureTerm",
    "LogitTerm",
    "Method",
    "Scalar",
    "Teacher",
    "Training",
    "TrialConfig",
    "require",
]
