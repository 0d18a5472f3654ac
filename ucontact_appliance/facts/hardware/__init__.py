"""The hardware and kernel of a machine, as recorded in a hardware profile."""
