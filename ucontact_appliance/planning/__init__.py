"""Decisions: from a site and its facts to one immutable plan. Nothing here does I/O."""
