"""Manifests on their way through a run: read, shared out, brought to the dataset's columns, made visible."""
