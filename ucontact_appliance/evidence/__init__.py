"""Gather the contents of a report, and file it."""
