"""Data plane: one :class:`~trainables.config.TrialConfig` becomes one trained student."""
