"""Partitions: one for each UTC date, today included."""

from datetime import date

import dagster as dg

# The ingest's own default of PARTITION_START_DATE; files of earlier dates are refused.
PARTITION_START_DATE = date(2025, 1, 1)

daily_partitions = dg.DailyPartitionsDefinition(
    start_date=PARTITION_START_DATE.isoformat(), timezone="UTC", end_offset=1
)
