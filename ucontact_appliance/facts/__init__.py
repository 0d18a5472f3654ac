"""Facts: what was read from a host, as frozen records. Nothing here judges or changes anything."""
