"""Run an installation: phases and their order, journal, locks, and the Ansible processes."""
