"""The site file: its typed model, the loader with actionable errors, and the site's secrets."""
