"""Facts: frozen records of what was read from a host. Nothing here judges or changes anything."""
