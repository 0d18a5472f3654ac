"""Others who mean harm: servers that lie, clients that guess, files that were tampered with."""
