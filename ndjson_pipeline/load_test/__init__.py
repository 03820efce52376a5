"""Made-up files put into a deployment at a rate, and timed up to the Parquet."""
