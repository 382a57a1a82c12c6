"""Holds all that decides the result of one training run, in one frozen dataclass, and its key."""

from trainables.config.data import Data
from trainables.config.method import FeatureTerm, LogitTerm, Method
from trainables.config.serialization import ConfigError, Scalar, require
from trainables.config.training import Training
from trainables.config.trial import Teacher, TrialConfig

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
