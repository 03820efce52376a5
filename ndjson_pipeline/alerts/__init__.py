"""Alerts: what an operator is told when a run failed."""
