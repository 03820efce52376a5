"""The files that producers drop; nothing here makes them."""

import dagster as dg

from ndjson_pipeline.partitions import daily_partitions

raw_ndjson = dg.AssetSpec(
    "raw_ndjson",
    description="NDJSON files in the input bucket, dropped by producers; their names begin with their date.",
    partitions_def=daily_partitions,
    group_name="ndjson",
    kinds={"s3", "json"},
)
