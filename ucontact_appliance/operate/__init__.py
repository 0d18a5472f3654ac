"""What an operator does with an installed site: examine, measure, lift bans, be told."""
