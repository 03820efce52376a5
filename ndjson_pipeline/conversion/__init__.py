"""What a run does to a date."""
