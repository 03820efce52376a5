"""Jobs: what sensors launch."""

import dagster as dg

from ndjson_pipeline.assets.merged_parquet import merged_parquet

convert_manifests = dg.define_asset_job(
    "convert_manifests",
    selection=[merged_parquet],
    description="Converts the manifests that the run's tags name; launched by the manifest sensor.",
)
