"""Partitions: one for each UTC date, today included."""

from datetime import date, datetime, timedelta
from functools import cache

import dagster as dg

from lambda_ingest.contract.dates import parse_date, utc_date


@cache
def daily_partitions(start_date: date) -> dg.DailyPartitionsDefinition:
    """Return the partitions since a date, today included.

    Args:
        start_date: the first one, a feed's `PARTITION_START_DATE`: ingest refuses earlier dates by the same.
    """
    return dg.DailyPartitionsDefinition(start_date=start_date.isoformat(), timezone="UTC", end_offset=1)


def partition_problem(date_prefix: str, start_date: date, now: datetime) -> str | None:
    """Say why a date will not be a partition by its own day, or return None where it is one or will be; pure.

    Ingest takes files of tomorrow, for producers' clocks differ; such a date waits for its day.

    Args:
        date_prefix: the date.
        start_date: the first partition.
        now: the present instant, aware.
    """
    try:
        found = parse_date(date_prefix)
    except ValueError:
        return f"{date_prefix} is no day"
    if found < start_date:
        return f"{date_prefix} lies before the first partition, {start_date}"
    tomorrow = utc_date(now) + timedelta(days=1)
    if found > tomorrow:
        return f"{date_prefix} lies further ahead than tomorrow, {tomorrow}"
    return None
