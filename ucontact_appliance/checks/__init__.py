"""Checks: one registry of verdicts, used by preflight, doctor and report. Nothing here acts."""
