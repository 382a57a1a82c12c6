"""A spec with its data: every trial the study may run, as a TrialConfig."""
