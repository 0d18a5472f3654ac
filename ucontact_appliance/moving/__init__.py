"""Carrying a role's data to another server."""
