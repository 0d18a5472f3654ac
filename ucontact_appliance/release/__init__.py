"""Releases: their content, the verification of their signature, and the evaluation release."""
