"""The command line, `ndjson-pipeline`."""
