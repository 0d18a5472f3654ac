"""The engine: order, journal, lock and running Ansible. It acts on plans that others decided."""
