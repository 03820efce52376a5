"""The code location that Dagster loads, of one feed; others override parts of it rather than patch them."""

import os
from collections.abc import Mapping

import dagster as dg

from ndjson_pipeline.assets import feed_assets
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.deployment.settings import FEED_VARIABLE, PipelineSettings
from ndjson_pipeline.history import purge_history, purge_history_daily
from ndjson_pipeline.jobs import feed_jobs
from ndjson_pipeline.resources import default_resources
from ndjson_pipeline.sensors.failure_alert_sensor import failure_alert_sensor
from ndjson_pipeline.sensors.handover_sensor import handover_sensor
from ndjson_pipeline.sensors.lambda_report_sensor import lambda_report_sensor
from ndjson_pipeline.sensors.manifest_sensor import manifest_sensor
from ndjson_pipeline.sensors.raw_files_sensor import raw_files_sensor
from ndjson_pipeline.sensors.reconcile_sensor import reconcile_sensor


def build_defs(
    *, feed: str | None = None, resource_overrides: Mapping[str, object] | None = None
) -> dg.Definitions:
    """Return the code location of a feed.

    Sensors and jobs are called alike in each feed's code location, by which Dagster tells them apart.

    Args:
        feed: the feed's name, empty for the one that has none; None is what the environment names.
        resource_overrides: resources that take the place of the default ones of the same name; one of
            `pipeline` is to work for the same feed.

    Raises:
        SettingsError: a variable of the environment makes no sense, or the name of the feed.
    """
    named = {} if feed is None else {FEED_VARIABLE: feed}
    settings = PipelineSettings.from_environment({**os.environ, **named})
    partitions = daily_partitions(settings.partition_start_date)
    return dg.Definitions(
        assets=feed_assets(Feed(settings.feed), partitions, settings),
        jobs=[*feed_jobs(Feed(settings.feed), partitions), purge_history],
        schedules=[purge_history_daily],
        sensors=[
            manifest_sensor,
            lambda_report_sensor,
            failure_alert_sensor,
            raw_files_sensor,
            reconcile_sensor,
            handover_sensor,
        ],
        resources={**_without_forms(default_resources(settings.feed)), **(resource_overrides or {})},
        # A run is one step that waits for Glue; a process of its own for it would only cost its start. It has
        # settings of its own, which no operator is to set.
        executor=dg.in_process_executor.configured({}, name="in_process"),
    )


def _without_forms(resources: Mapping[str, object]) -> Mapping[str, object]:
    """Return resources that no launch can set: waits and deadlines belong together, and to the code.

    Dagster shows each field of a configurable resource in the launch form of each job. What is hard-coded is
    not set up by it: the project's own resources connect where they are first asked.
    """
    return {
        name: dg.ResourceDefinition.hardcoded_resource(resource, _first_line(resource))
        if isinstance(resource, dg.ConfigurableResource)
        else resource
        for name, resource in resources.items()
    }


def _first_line(resource: object) -> str:
    """Return what a resource is; the form shows it, and its attributes are nobody's to set there."""
    return (resource.__doc__ or "").partition("\n")[0]


defs = build_defs()
