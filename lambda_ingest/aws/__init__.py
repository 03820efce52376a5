"""Thin edges to AWS that more than one part of ingest uses."""
