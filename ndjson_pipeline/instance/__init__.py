"""Settings of the Dagster instance."""
