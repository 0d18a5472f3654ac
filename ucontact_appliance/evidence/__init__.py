"""What a report is made of, gathered and filed."""
