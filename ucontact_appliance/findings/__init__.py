"""Running the checks, and what follows from all their findings together."""
