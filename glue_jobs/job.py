"""The driver: manifests to tasks, results to outcomes and the report."""

from __future__ import annotations

import logging
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from glue_jobs.convert import PartResult, PartTask, unify_parts
from glue_jobs.errors import GlueJobError, ManifestReadError, ManifestsFailedError
from glue_jobs.output import manifest_stem, part_key, remove_stale_parts
from glue_jobs.planning import part_count, share_files
from glue_jobs.reading import read_manifest
from glue_jobs.report import (
    ManifestOutcome,
    ParquetFile,
    RunOutcome,
    ask_job_info,
    build_report,
    failure_message,
    write_report,
)
from glue_jobs.schema import LearnedSchema, same_columns, storable
from glue_jobs.storage import CONCURRENT_REQUESTS
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.records import BYTES_PER_MB

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

    from glue_jobs.arguments import JobArguments
    from glue_jobs.pipes import Announcer
    from glue_jobs.spark import PartRunner
    from lambda_ingest.contract.manifest import Manifest

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Environment:
    """What a run needs from outside.

    Attributes:
        s3: S3, of the driver.
        make_glue: makes Glue's client.
        region: of the workers' S3 clients; None leaves it to their settings.
        now: the clock, aware.
        unique: makes text of at least 8 characters that no other run has.
        start_runner: starts what runs tasks, and stops it after its block.
        announcer: tells of progress and the report.
    """

    s3: S3Client
    make_glue: Callable[[], GlueClient]
    region: str | None
    now: Callable[[], datetime]
    unique: Callable[[], str]
    start_runner: Callable[[], AbstractContextManager[PartRunner]]
    announcer: Announcer


@dataclass
class _Work:
    """One manifest on its way; an error ends it, and leaves the others alone."""

    uri: str
    manifest: Manifest | None = None
    results: list[PartResult] = field(default_factory=list)
    error: str | None = None


def run_job(arguments: JobArguments, environment: Environment) -> None:
    """Convert the manifests, write the report, tell of both.

    Raises:
        ManifestsFailedError: at least one manifest failed; the message names each with its reason.
        GlueJobError: the run as a whole failed, such as Spark not starting.
    """
    started = time.perf_counter()
    works = [_Work(uri) for uri in arguments.manifest_uris]
    error: BaseException | None = None
    try:
        _convert(arguments, environment, works)
    except BaseException as caught:
        error = caught
        raise
    finally:
        outcome = _outcome(works, error)
        _tell(arguments, environment, outcome, time.perf_counter() - started)
    if outcome.failed:
        raise ManifestsFailedError(failure_message(outcome.failed, len(works)))


def _convert(arguments: JobArguments, environment: Environment, works: list[_Work]) -> None:
    processed_at = environment.now()
    _read_manifests(environment.s3, works)
    readable = [work for work in works if work.error is None]
    if not readable:
        return
    started = time.perf_counter()
    with environment.start_runner() as runner:
        environment.announcer.line(
            f"Spark is up after {time.perf_counter() - started:.1f} s with {runner.cores} cores; "
            f"{len(readable)} of {len(works)} manifests are readable"
        )
        started = time.perf_counter()
        tasks = [
            task
            for work in readable
            for task in _tasks(arguments, environment, work, runner.cores, processed_at)
        ]
        _run_tasks(runner, tasks, readable)
        _run_again_with_all_columns(runner, readable, environment.announcer)
        environment.announcer.line(f"converted in {time.perf_counter() - started:.2f} s: {_times(readable)}")
    started = time.perf_counter()
    with ThreadPoolExecutor(CONCURRENT_REQUESTS, thread_name_prefix="finish") as pool:
        list(pool.map(lambda work: _finish(arguments, environment.s3, work), readable))
    environment.announcer.line(f"output folders checked in {time.perf_counter() - started:.2f} s")


def _read_manifests(client: S3Client, works: Sequence[_Work]) -> None:
    def read(work: _Work) -> None:
        try:
            work.manifest = read_manifest(client, work.uri)
        except GlueJobError as error:
            work.error = str(error)
        except Exception as error:  # noqa: BLE001 - one manifest harms only itself
            work.error = _unexpected(f"reading manifest {work.uri}", error)

    with ThreadPoolExecutor(CONCURRENT_REQUESTS, thread_name_prefix="manifest") as pool:
        list(pool.map(read, works))
    first_of_name: dict[str, str] = {}
    for work in works:
        if work.manifest is None:
            logger.error("%s", work.error)
            continue
        name = work.manifest.name.filename
        first = first_of_name.setdefault(name, work.uri)
        if first != work.uri:
            work.error = str(
                ManifestReadError(
                    f"manifest {work.uri} has the name of {first}, and so the same output files"
                )
            )


def _tasks(
    arguments: JobArguments, environment: Environment, work: _Work, cores: int, processed_at: datetime
) -> list[PartTask]:
    manifest = work.manifest
    if manifest is None:
        return []
    parts = part_count(
        manifest.total_size_bytes, len(manifest.files), cores, arguments.target_file_mb * BYTES_PER_MB
    )
    return [
        PartTask(
            manifest_uri=work.uri,
            part=part,
            files=files,
            output_bucket=arguments.output_bucket,
            output_key=part_key(arguments.output_prefix, manifest.name, part, arguments.codec),
            codec=arguments.codec,
            processed_at=processed_at,
            known=LearnedSchema(),
            region=environment.region,
        )
        for part, files in enumerate(share_files(manifest.files, parts))
    ]


def _run_tasks(runner: PartRunner, tasks: Sequence[PartTask], works: Sequence[_Work]) -> None:
    """Run tasks, and put each result in its manifest's place for that part."""
    by_uri = {work.uri: work for work in works}
    for result in runner.run(tasks):
        work = by_uri[result.task.manifest_uri]
        work.results = [known for known in work.results if known.task.part != result.task.part] + [result]
        if result.error_message is not None and work.error is None:
            work.error = result.error_message


def _run_again_with_all_columns(runner: PartRunner, works: Sequence[_Work], announcer: Announcer) -> None:
    """Convert parts again that lack columns, or types, of their manifest's other parts.

    Readers that take a folder's columns from one file, or merge columns but not types, need the same in all.
    """
    again: list[PartTask] = []
    for work in works:
        if work.error is not None or len(work.results) < 2:
            continue
        try:
            unified = unify_parts(sorted(work.results, key=lambda result: result.task.part))
        except GlueJobError as error:
            work.error = str(error)
            continue
        wanted = storable(unified.schema)
        again.extend(
            replace(result.task, known=unified)
            for result in work.results
            if result.records_written and not same_columns(storable(result.learned.schema), wanted)
        )
    if again:
        announcer.line(f"{len(again)} output files lack columns of their manifest's others, converting again")
        _run_tasks(runner, again, works)


def _finish(arguments: JobArguments, client: S3Client, work: _Work) -> None:
    """Check a converted manifest's counts, and leave its output files alone in their folder."""
    manifest = work.manifest
    if work.error is not None or manifest is None:
        return
    try:
        lines = sum(result.records_read for result in work.results)
        rows = sum(result.records_written for result in work.results)
        rejected = sum(result.records_rejected for result in work.results)
        files = sum(len(result.task.files) for result in work.results)
        if lines != rows + rejected or files != len(manifest.files):
            work.error = (
                f"{files} of {len(manifest.files)} files: {lines} lines in, but {rows} rows out "
                f"and {rejected} rejected; its earlier output is left as it was"
            )
            return
        written = {result.task.output_key for result in work.results if result.output_bytes}
        stem = manifest_stem(arguments.output_prefix, manifest.name)
        for key in remove_stale_parts(client, arguments.output_bucket, stem, written):
            logger.info("removed s3://%s/%s of an earlier attempt", arguments.output_bucket, key)
    except GlueJobError as error:
        work.error = str(error)
    except Exception as error:  # noqa: BLE001 - one manifest harms only itself
        work.error = _unexpected(f"removing earlier output of {work.uri}", error)


def _outcome(works: Sequence[_Work], error: BaseException | None) -> RunOutcome:
    run_error = None
    if error is not None:
        run_error = str(error) or type(error).__name__
        for work in works:
            work.error = work.error or f"not converted: {run_error}"
    outcome = RunOutcome([_manifest_outcome(work) for work in works], run_error)
    if outcome.failed and run_error is None:
        outcome.error_message = failure_message(outcome.failed, len(works))
    return outcome


def _manifest_outcome(work: _Work) -> ManifestOutcome:
    results = sorted(work.results, key=lambda result: result.task.part)
    return ManifestOutcome(
        manifest_path=work.uri,
        date_prefix=None if work.manifest is None else work.manifest.name.date_prefix,
        file_count=0 if work.manifest is None else len(work.manifest.files),
        records_read=sum(result.records_read for result in results),
        records_processed=sum(result.records_written for result in results),
        records_rejected=sum(result.records_rejected for result in results),
        input_bytes=sum(result.input_bytes for result in results),
        parquet_files=tuple(
            ParquetFile(
                s3_uri(result.task.output_bucket, result.task.output_key),
                result.output_bytes,
                result.records_written,
                work.uri,
            )
            for result in results
            if result.output_bytes
        ),
        error_message=work.error,
    )


def _tell(arguments: JobArguments, environment: Environment, outcome: RunOutcome, seconds: float) -> None:
    """Write the report, send it, log its end; none of it may hide what the run itself raises."""
    try:
        job = ask_job_info(environment.make_glue, arguments.job_name, arguments.job_run_id)
        now = environment.now()
        report = build_report(job, outcome, seconds, now)
        uri = write_report(environment.s3, arguments.manifest_bucket, report, now, environment.unique())
        environment.announcer.report(uri, report)
        summary = report["processing_summary"]
        environment.announcer.line(
            f"{summary['status']}: {summary['records_processed']:,} records, "
            f"{summary['input_size_mb']:.1f} MB in, {summary['output_size_mb']:.1f} MB in "
            f"{summary['parquet_files_created']} Parquet files out, {seconds:.1f} s; report {uri}"
        )
    except Exception:
        logger.exception("the run can't be reported; its work is not touched by that")


def _times(works: Sequence[_Work]) -> str:
    results = [result for work in works for result in work.results]
    steps = ("read", "parse", "encode", "write")
    sums = {step: sum(result.seconds.get(step, 0.0) for result in results) for step in steps}
    return f"{len(results)} tasks, seconds over all: " + ", ".join(
        f"{step} {sums[step]:.2f}" for step in steps
    )


def _unexpected(what: str, error: Exception) -> str:
    logger.error("%s failed\n%s", what, "".join(traceback.format_tb(error.__traceback__)))
    return f"{type(error).__name__} while {what}; see the driver's log"
