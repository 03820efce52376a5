"""Conversion: the files of a manifest become Parquet, by Arrow inside Spark tasks.

This package owns the output, the rejected records and the Glue report. It knows manifests through
`lambda_ingest.contract`, and of Dagster only Pipes; it also runs by hand, without Dagster.
"""
