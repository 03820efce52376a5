"""Runs the demonstration: starts the platform, puts files in, waits, and checks what came out."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.records import FileStatus, ManifestStatus
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.laptop.demo.input_files import FILES_PER_MANIFEST, InputFile
from ndjson_pipeline.laptop.demo.observation import (
    DagsterState,
    OutputState,
    TrackedState,
    read_dagster,
    read_glue_times,
    read_output,
    read_tracking,
)
from ndjson_pipeline.laptop.demo.result import DemoResult, measure_stages
from ndjson_pipeline.laptop.platform import LocalPlatform
from ndjson_pipeline.local_aws import LocalAwsSettings

if TYPE_CHECKING:
    from dagster import DagsterInstance

_POLL_SECONDS = 0.5
_CONCURRENT_UPLOADS = 8

# What the platform is as the demonstration runs it: the contract's defaults, but for the size check, and for
# the wait of late files: nobody wants to watch that.
DEMO_SETTINGS = LocalAwsSettings(
    lambda_variables={"MAX_FILES_PER_MANIFEST": str(FILES_PER_MANIFEST), "LATE_FLUSH_SECONDS": "0"}
)


class DemoFailedError(PipelineError):
    """The demonstration did not end as it must."""


@dataclass(frozen=True)
class Progress:
    """How far the demonstration is.

    Attributes:
        stage: what is going on, in a few words.
        files: files to put in.
        tracked: what the tracking table says.
        dagster: what Dagster says.
    """

    stage: str
    files: int
    tracked: TrackedState | None = None
    dagster: DagsterState | None = None


Tell = Callable[[Progress], None]


def run_demo(
    platform: LocalPlatform,
    files: Sequence[InputFile],
    *,
    began: datetime,
    timeout_seconds: float,
    tell: Tell,
) -> DemoResult:
    """Put files in, wait until everything is done, and check it.

    Args:
        platform: running.
        files: what to put in; all of them are due.
        began: when the demonstration began, to count its seconds.
        timeout_seconds: how long to wait for the end.
        tell: called with the progress, again and again.

    Raises:
        DemoFailedError: a file was refused, a manifest failed, the rows don't match, or time ran out.
        DagsterProcessError: Dagster ended.
    """
    deployment = platform.deployment()
    with platform.instance() as instance:
        tell(Progress("waiting for Dagster's sensor", len(files)))
        platform.await_sensors(instance)
        ready = utc_now()
        tell(Progress("putting files in", len(files)))
        _upload(deployment, files)
        uploaded = utc_now()
        tracked, dagster = _await_end(platform, deployment, instance, files, timeout_seconds, tell)
        reported = utc_now()
    tell(Progress("counting rows", len(files), tracked, dagster))
    output = read_output(deployment, _dates(files))
    _check_rows(deployment, files, output)
    glue = read_glue_times(
        deployment, (record.glue_job_run_id for record in tracked.manifests if record.glue_job_run_id)
    )
    return DemoResult(
        files=len(files),
        manifests=len(tracked.manifests),
        records_in=sum(file.record_count for file in files),
        rows_out=output.rows_by_source.total(),
        runs=dagster.runs,
        input_bytes=sum(len(file.content) for file in files),
        output_bytes=output.size_bytes,
        parquet_files=output.files,
        seconds=round((utc_now() - began).total_seconds(), 2),
        stages=measure_stages(
            began=began, ready=ready, uploaded=uploaded, reported=reported, tracked=tracked, glue=glue
        ),
    )


def _upload(deployment: Deployment, files: Sequence[InputFile]) -> None:
    def put(file: InputFile) -> None:
        deployment.s3.put_object(
            Bucket=deployment.names.input_bucket,
            Key=f"{deployment.settings.input_prefix}{file.name}",
            Body=file.content,
        )

    with ThreadPoolExecutor(max_workers=_CONCURRENT_UPLOADS) as pool:
        # The list brings the first failure up.
        list(pool.map(put, files))


def _await_end(
    platform: LocalPlatform,
    deployment: Deployment,
    instance: "DagsterInstance",
    files: Sequence[InputFile],
    timeout_seconds: float,
    tell: Tell,
) -> tuple[TrackedState, DagsterState]:
    deadline = time.monotonic() + timeout_seconds
    dates = _dates(files)
    while True:
        platform.check_alive()
        tracked = read_tracking(deployment, dates)
        dagster = read_dagster(instance, deployment.names.feed)
        tell(Progress("working", len(files), tracked, dagster))
        _check_failures(tracked, dagster)
        if (
            tracked.manifested_files == len(files)
            and tracked.count(ManifestStatus.COMPLETED) == len(tracked.manifests)
            and dagster.files_reported == len(files)
            and dagster.manifests_converted == len(tracked.manifests)
            # A run ends a moment after its materialization.
            and dagster.open_runs == 0
        ):
            return tracked, dagster
        if time.monotonic() > deadline:
            raise DemoFailedError(
                f"not done within {timeout_seconds:g} s: {tracked.manifested_files} of {len(files)} files "
                f"are in manifests, {tracked.count(ManifestStatus.COMPLETED)} of "
                f"{len(tracked.manifests)} manifests are completed, Dagster reports "
                f"{dagster.files_reported} files and {dagster.manifests_converted} manifests"
            )
        time.sleep(_POLL_SECONDS)


def _check_failures(tracked: TrackedState, dagster: DagsterState) -> None:
    refused = tracked.files[FileStatus.QUARANTINED]
    if refused:
        raise DemoFailedError(f"{refused} files were refused by ingest; their records have the reasons")
    for record in tracked.manifests:
        if record.status is ManifestStatus.FAILED:
            raise DemoFailedError(f"{record.manifest_path} failed: {record.error_message}")
    if dagster.failed_runs:
        raise DemoFailedError(f"{dagster.failed_runs} Dagster runs failed")


def _check_rows(deployment: Deployment, files: Sequence[InputFile], output: OutputState) -> None:
    """Check that each file's records are in the output once."""
    bucket, prefix = deployment.names.input_bucket, deployment.settings.input_prefix
    expected = Counter(
        {s3_uri(bucket, f"{prefix}{file.name}"): file.record_count for file in files if file.record_count}
    )
    if output.rows_by_source == expected:
        return
    wrong = [
        f"{source}: {expected[source]} records in, {output.rows_by_source[source]} rows out"
        for source in sorted(expected.keys() | output.rows_by_source.keys())
        if expected[source] != output.rows_by_source[source]
    ]
    raise DemoFailedError(f"rows differ from records for {len(wrong)} files, such as {wrong[0]}")


def _dates(files: Sequence[InputFile]) -> list[str]:
    return sorted({file.date_prefix for file in files})
