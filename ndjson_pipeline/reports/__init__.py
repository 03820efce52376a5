"""Reports of the Lambda and of Glue, read as values."""
