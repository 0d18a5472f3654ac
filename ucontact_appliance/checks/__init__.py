"""The checks of preflight, doctor and report: they return verdicts and change nothing."""
