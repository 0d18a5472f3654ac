"""Rehearsal machines: disposable servers on systemd-nspawn that boot in seconds.

The lab works only in its own folder and under its own names (bridge, nftables table, machine
prefix); it never touches a customer's machine.
"""
