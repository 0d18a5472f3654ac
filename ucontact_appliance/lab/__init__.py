"""Rehearsal machines: real servers on systemd-nspawn, booted in seconds and thrown away.

The lab works only in its own folder and under its own names (bridge, nftables table, machine
prefix); a customer's machine is never touched by it.
"""
