"""Partitions: one for each UTC date, today included."""

import os
from datetime import datetime, timedelta

import dagster as dg

from lambda_ingest.contract.dates import parse_date, utc_date
from ndjson_pipeline.deployment.settings import PipelineSettings

# Read as the module loads: Dagster wants partitions before it runs anything. Ingest refuses earlier dates by
# the same setting.
PARTITION_START_DATE = PipelineSettings.from_environment(os.environ).partition_start_date

daily_partitions = dg.DailyPartitionsDefinition(
    start_date=PARTITION_START_DATE.isoformat(), timezone="UTC", end_offset=1
)


def partition_problem(date_prefix: str, now: datetime) -> str | None:
    """Say why a date will not be a partition by its own day, or return None where it is one or will be; pure.

    Ingest takes files of tomorrow, for producers' clocks differ; such a date waits for its day.

    Args:
        date_prefix: the date.
        now: the present instant, aware.
    """
    try:
        found = parse_date(date_prefix)
    except ValueError:
        return f"{date_prefix} is no day"
    if found < PARTITION_START_DATE:
        return f"{date_prefix} lies before the first partition, {PARTITION_START_DATE}"
    tomorrow = utc_date(now) + timedelta(days=1)
    if found > tomorrow:
        return f"{date_prefix} lies further ahead than tomorrow, {tomorrow}"
    return None
