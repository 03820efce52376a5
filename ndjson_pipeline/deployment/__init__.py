"""Which deployment a process works for: names, settings, clients, and what AWS and Dagster are given."""
