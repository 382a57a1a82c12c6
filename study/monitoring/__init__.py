"""A study looked at while it runs: progress, status, expected time of arrival."""
