"""The code location that Dagster loads."""

from ndjson_pipeline.build import build_defs

defs = build_defs()
