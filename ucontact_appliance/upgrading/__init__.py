"""Upgrade an installed site behind a gate, and go back to a restore point."""
