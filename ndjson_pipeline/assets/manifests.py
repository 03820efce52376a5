"""The batches that the manifest builder commits; its reports arrive as materializations."""

import dagster as dg

from ndjson_pipeline.assets.raw_ndjson import raw_ndjson
from ndjson_pipeline.partitions import daily_partitions

manifests = dg.AssetSpec(
    "manifests",
    deps=[raw_ndjson],
    description=(
        "Manifests that the Lambda commits: each lists the files of one batch. A materialization sums up "
        "what the Lambda did to a date."
    ),
    partitions_def=daily_partitions,
    group_name="ndjson",
    kinds={"lambda", "dynamodb"},
)
