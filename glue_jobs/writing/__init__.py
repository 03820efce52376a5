"""Output: Parquet files and rejected records, their names and their way to S3."""
