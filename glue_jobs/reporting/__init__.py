"""What a run tells of itself: progress, messages to Dagster, the report."""
