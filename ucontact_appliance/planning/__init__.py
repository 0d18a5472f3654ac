"""Decisions: from a site and its facts to one frozen plan. Nothing here looks or acts."""
