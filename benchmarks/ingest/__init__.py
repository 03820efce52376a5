"""What ingest costs."""
