"""Glue, which moto only records: runs as processes, under local Spark."""
