"""What Dagster's UI shows of the dates of `merged_parquet`, by the functions that it goes by itself."""

import asyncio
from collections.abc import Mapping

import dagster as dg
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline_tests.pipeline.asset_runner import ASSET

PARTITIONS = daily_partitions(PipelineSettings.partition_start_date)


def bar(instance: dg.DagsterInstance) -> dict[str, str]:
    """Return `materialized`, `failed` or `in progress` of each date that is not missing.

    Asked twice: the bar must be the same whether the UI was open all the time, and so kept what it had found,
    or is opened now.
    """
    kept = _bar(instance)
    instance.wipe_asset_cached_status([ASSET])
    assert _bar(instance) == kept
    return kept


def _bar(instance: dg.DagsterInstance) -> dict[str, str]:
    value = get_and_update_asset_status_cache_value(instance, ASSET, PARTITIONS)
    if value is None:
        return {}
    subsets = {
        "materialized": value.deserialize_materialized_partition_subsets(PARTITIONS),
        "failed": value.deserialize_failed_partition_subsets(PARTITIONS),
        "in progress": value.deserialize_in_progress_partition_subsets(PARTITIONS),
    }
    # The UI shows a partition that is both materialized and failed as failed.
    return {date: status for status, subset in subsets.items() for date in subset.get_partition_keys()}


def checks(instance: dg.DagsterInstance, name: str) -> Mapping[str | None, list[str]]:
    """Return the states of a check's results as the UI resolves them, by date, the newest first."""
    key = dg.AssetCheckKey(ASSET, name)
    loading = LoadingContextForTest(instance)
    found: dict[str | None, list[str]] = {}
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=100):
        state = asyncio.run(record.resolve_status(loading))
        found.setdefault(record.partition, []).append(state.value)
    return found
