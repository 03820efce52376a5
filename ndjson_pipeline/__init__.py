"""The Dagster code location, the command line and the local AWS.

Imports `lambda_ingest` and `glue_jobs`; neither imports this.
"""
