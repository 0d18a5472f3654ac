"""Texts for people and their translations. The sources are in English."""
