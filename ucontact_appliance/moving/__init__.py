"""Move a role's data to another server."""
