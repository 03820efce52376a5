"""Ingest: S3 events become tracked files, and tracked files become committed manifests.

This package owns the tracking table, the manifests and the Lambda report. It runs in AWS Lambda, so it
imports neither Dagster nor pyarrow. What other packages may rely on is in `lambda_ingest.contract`.
"""
