"""The Dagster instance: its settings, and what makes a home ready for it."""
