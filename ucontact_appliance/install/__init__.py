"""An installation: its phases, their order, journal and locks, and Ansible as a process."""
