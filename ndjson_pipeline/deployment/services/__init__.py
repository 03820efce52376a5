"""Dagster's processes in a deployment: code servers, one daemon, and the UI."""
