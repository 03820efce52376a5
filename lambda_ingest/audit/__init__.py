"""What the sweeper compares: listings of S3 with the records of the table."""
