"""Clients that probe a running site from outside, as its users do."""
