"""Trains one :class:`~trainables.config.TrialConfig` into one student, knowing nothing of studies."""
