"""The hardware and kernel of a machine, as a hardware profile records them."""
