"""What ingest promises to its readers: keys, record shapes, manifests and reports.

Pure values and functions over them, with the standard library alone, so that the Glue job and the Dagster
code location can import it without importing the Lambda.
"""
