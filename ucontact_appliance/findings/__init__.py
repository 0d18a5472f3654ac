"""Run the checks, and draw conclusions from all their findings together."""
