"""One demonstration of the platform: files in, Parquet out, every number checked."""
