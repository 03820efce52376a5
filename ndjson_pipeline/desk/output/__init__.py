"""What lies in the output: Parquet files, their rows, what was rescued of them."""
