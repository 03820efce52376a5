"""The code location that Dagster loads; others override parts of it rather than patch them."""

from collections.abc import Mapping

import dagster as dg

from ndjson_pipeline.assets import manifests, merged_parquet, raw_ndjson
from ndjson_pipeline.history import purge_history, purge_history_daily
from ndjson_pipeline.jobs import (
    audit_input_listing,
    convert_manifests,
    reprocess_failed_manifests,
    sweep_now,
)
from ndjson_pipeline.resources import default_resources
from ndjson_pipeline.sensors.failure_alert_sensor import failure_alert_sensor
from ndjson_pipeline.sensors.handover_sensor import handover_sensor
from ndjson_pipeline.sensors.lambda_report_sensor import lambda_report_sensor
from ndjson_pipeline.sensors.manifest_sensor import manifest_sensor
from ndjson_pipeline.sensors.reconcile_sensor import reconcile_sensor


def build_defs(*, resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """Return the code location.

    Args:
        resource_overrides: resources that take the place of the default ones of the same name.
    """
    return dg.Definitions(
        assets=[raw_ndjson, manifests, merged_parquet],
        jobs=[
            convert_manifests,
            reprocess_failed_manifests,
            sweep_now,
            audit_input_listing,
            purge_history,
        ],
        schedules=[purge_history_daily],
        sensors=[
            manifest_sensor,
            lambda_report_sensor,
            failure_alert_sensor,
            reconcile_sensor,
            handover_sensor,
        ],
        resources={**default_resources(), **(resource_overrides or {})},
        # A run is one step that waits for Glue; a process of its own for it would only cost its start.
        executor=dg.in_process_executor,
    )


defs = build_defs()
