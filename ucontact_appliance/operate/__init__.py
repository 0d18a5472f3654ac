"""Operate an installed site: examinations, measurements, bans and notifications."""
