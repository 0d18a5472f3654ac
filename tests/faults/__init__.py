"""Proof by fault: a catalogue of faults, and a runner that injects each into an installed site."""
