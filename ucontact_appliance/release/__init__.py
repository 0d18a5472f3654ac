"""Releases: what one consists of, whether it is what was signed, and the evaluation's."""
