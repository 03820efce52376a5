"""Input files: their bytes from S3, cut into lines."""
