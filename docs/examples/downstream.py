"""An asset downstream of `merged_parquet` that follows every date, whenever it is filled.

`AutomationCondition.eager()` alone looks at the latest date only. But a date's last files are flushed after
midnight, when it is the latest no more; a late file, and a date that is converted again, come later still.

To try it, load this file beside the feed's code location: `dagster dev -w workspace.yaml -f
docs/examples/downstream.py`.
"""

import dagster as dg

UPSTREAM = dg.AssetKey("merged_parquet")
# The same dates as upstream; PARTITION_START_DATE of the feed.
DATES = dg.DailyPartitionsDefinition(start_date="2025-01-01", timezone="UTC", end_offset=1)


def follows_every_date() -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    """Return the condition: run a date once each time that its upstream date was materialized.

    It is `eager()` without two of its parts. Without `in_latest_time_window` it follows past dates, too.
    Without `newly_missing` it asks nothing of dates that were there before the asset: those are filled by a
    backfill, when you want it. A date that fails upstream is not materialized, so it runs nothing. One that
    is materialized several times while its run goes on is run once more afterwards.
    """
    return (
        dg.AutomationCondition.any_deps_updated().since_last_handled()
        & ~dg.AutomationCondition.any_deps_missing()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    ).with_label("follows_every_date")


@dg.asset(deps=[UPSTREAM], partitions_def=DATES, automation_condition=follows_every_date())
def daily_summary(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """How many rows each UTC date has.

    A run reads its date as a whole and replaces its own result as a whole, so that once more changes nothing.
    """
    (newest,) = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(UPSTREAM, asset_partitions=[context.partition_key]), limit=1
    ).records
    upstream = newest.asset_materialization
    rows = upstream.metadata.get("dagster/row_count") if upstream is not None else None
    return dg.MaterializeResult(metadata={"rows": rows.value if rows is not None else 0})


# Dagster's own sensor of conditions is off until somebody turns it on; this one is on.
automation = dg.AutomationConditionSensorDefinition(
    "follow_merged_parquet", target=[daily_summary], default_status=dg.DefaultSensorStatus.RUNNING
)

defs = dg.Definitions(assets=[daily_summary], sensors=[automation])
