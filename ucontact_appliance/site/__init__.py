"""The site file: its typed model, loading it with errors a person can act on, and its secrets."""
