"""Times a sensor's tick, and counts its AWS calls, with up to 10,000 finished manifests behind it.

    python -m benchmarks.orchestration.ticks [--ticks 30] [--histories 0 100 1000 10000]

Ten manifests wait, for ten dates. Calls are counted where botocore sends them, to the local AWS, and their
time is told apart: moto walks all of a table for a query, which DynamoDB does not. Dagster's own history, a
run for each ten finished manifests, lies in SQLite as on a laptop.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from botocore.client import BaseClient
from rich.console import Console
from rich.table import Table

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.items import to_item
from lambda_ingest.contract.keys import ManifestName, s3_uri
from lambda_ingest.contract.records import ManifestStatus, manifest_record_key
from ndjson_pipeline.claims.dagster_runs import ATTEMPT_TAG, MANIFESTS_TAG, PARTITION_TAG, manifests_tag
from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline.deployment.clients import Deployment, current_deployment
from ndjson_pipeline.deployment.instance.home import prepare_home
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.local_aws import LocalAwsProcess, LocalAwsSettings
from ndjson_pipeline.resources import PipelineResource

WAITING_DATES = 10
_DATES_OF_HISTORY = 100
_ITEMS_PER_BATCH_WRITE = 25
_MANIFESTS_PER_RUN = 10


@dataclass
class Usage:
    """What ticks asked of AWS.

    Attributes:
        calls: how often each operation was called.
        items_read: items that queries looked at and gets returned.
        seconds: how long the calls took.
    """

    calls: Counter[str] = field(default_factory=Counter)
    items_read: int = 0
    seconds: float = 0.0


def main() -> None:
    """Measure every sensor at each history, and print a table."""
    parser = argparse.ArgumentParser(description="Times the ticks of the sensors.")
    parser.add_argument("--ticks", type=int, default=30)
    parser.add_argument("--histories", type=int, nargs="+", default=[0, 100, 1000, 10_000])
    arguments = parser.parse_args()
    table = Table(title=f"{WAITING_DATES} manifests wait; medians of {arguments.ticks} ticks")
    for column in ("finished", "sensor", "tick ms", "without AWS ms", "AWS calls", "items read"):
        table.add_column(column, justify="left" if column == "sensor" else "right")
    settings = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalAwsProcess(directory=Path(folder) / "aws", settings=settings) as local,
    ):
        os.environ.update(local.client_environment())
        home = Path(folder) / "home"
        prepare_home(home)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            _measure_all(current_deployment(), instance, arguments, table)
    Console().print(table)


def _measure_all(
    deployment: Deployment, instance: dg.DagsterInstance, arguments: argparse.Namespace, table: Table
) -> None:
    usage = _watched()
    definitions = build_defs()
    sensors: dict[str, Any] = {sensor.name: sensor for sensor in definitions.sensors or ()}
    today = utc_now().date()
    waiting = [(today - timedelta(days=days)).isoformat() for days in range(WAITING_DATES)]
    _write(deployment, [ManifestName(date, 1, "0" * 8) for date in waiting], ManifestStatus.PENDING)
    for sensor in sensors.values():
        # What a first tick imports and connects is no part of any history.
        _tick(sensor, definitions, instance, usage)
    done = 0
    for finished in sorted(arguments.histories):
        names = [_finished_name(number) for number in range(done, finished)]
        _write(deployment, names, ManifestStatus.COMPLETED)
        _finish_runs(instance, names)
        done = finished
        for name in ("manifest_sensor", "reconcile_sensor", "failure_alert_sensor"):
            rows = [_tick(sensors[name], definitions, instance, usage) for _ in range(arguments.ticks)]
            total, aws, calls, items = (statistics.median(values) for values in zip(*rows, strict=True))
            table.add_row(
                f"{finished:,}",
                name,
                f"{1000 * total:.1f}",
                f"{1000 * (total - aws):.1f}",
                f"{calls:.0f}",
                f"{items:.0f}",
            )


def _tick(
    sensor: Any,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    usage: Usage,
) -> tuple[float, float, float, float]:
    """Evaluate a sensor; returns seconds, seconds in AWS, calls and items read."""
    with dg.build_sensor_context(
        instance=instance,
        sensor_name=sensor.name,
        definitions=definitions,
        resources={"pipeline": PipelineResource()},
    ) as context:
        usage.calls.clear()
        usage.items_read, usage.seconds = 0, 0.0
        started = time.perf_counter()
        sensor(context)
        return time.perf_counter() - started, usage.seconds, usage.calls.total(), usage.items_read


def _watched() -> Usage:
    """Return what counts every AWS call of this process from now on."""
    usage = Usage()
    clients: Any = BaseClient
    original = clients._make_api_call

    def make_api_call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        started = time.perf_counter()
        try:
            answer = original(client, operation, request)
        finally:
            usage.seconds += time.perf_counter() - started
            usage.calls[operation] += 1
        usage.items_read += (
            answer.get("ScannedCount", 0) if operation in {"Query", "Scan"} else "Item" in answer
        )
        return answer

    clients._make_api_call = make_api_call
    return usage


def _finished_name(number: int) -> ManifestName:
    first = daily_partitions(PipelineSettings.partition_start_date).get_first_partition_key() or ""
    date = utc_now().date() - timedelta(days=WAITING_DATES + number % _DATES_OF_HISTORY)
    return ManifestName(max(first, date.isoformat()), number // _DATES_OF_HISTORY + 1, f"{number:08x}")


def _write(deployment: Deployment, names: Sequence[ManifestName], status: ManifestStatus) -> None:
    """Write the records of manifests as ingest and runs leave them."""
    items = [
        to_item(
            {
                "date_prefix": name.date_prefix,
                "file_key": manifest_record_key(name.filename),
                "status": status.value,
                "manifest_path": s3_uri(deployment.names.manifest_bucket, name.key),
                "file_count": 10,
                "total_size_mb": 35,
                "attempt": 0 if status is ManifestStatus.PENDING else 1,
                "created_at": f"{name.date_prefix}T00:00:00.000000Z",
            }
        )
        for name in names
    ]
    for start in range(0, len(items), _ITEMS_PER_BATCH_WRITE):
        requests = [{"PutRequest": {"Item": item}} for item in items[start : start + _ITEMS_PER_BATCH_WRITE]]
        deployment.dynamodb.batch_write_item(
            RequestItems={deployment.names.tracking_table: requests}  # type: ignore[dict-item]
        )


def _finish_runs(instance: dg.DagsterInstance, names: Sequence[ManifestName]) -> None:
    """Store a run that ended well for each ten manifests."""
    for start in range(0, len(names), _MANIFESTS_PER_RUN):
        batch = names[start : start + _MANIFESTS_PER_RUN]
        run = dg.DagsterRun(
            job_name="convert_manifests",
            status=dg.DagsterRunStatus.SUCCESS,
            tags={
                MANIFESTS_TAG: manifests_tag(batch),
                ATTEMPT_TAG: "1",
                PARTITION_TAG: batch[0].date_prefix,
            },
        )
        instance.add_run(run)


if __name__ == "__main__":
    main()
