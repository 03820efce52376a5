"""The driver: manifests to tasks, results to outcomes, all of it to the report."""

from __future__ import annotations

import logging
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glue_jobs.catalog.table import CatalogTable
from glue_jobs.errors import GlueJobError, ManifestReadError, ManifestsFailedError, SchemaContractError
from glue_jobs.manifests.agreement import agree
from glue_jobs.manifests.commit import commit
from glue_jobs.manifests.planning import part_count, share_files
from glue_jobs.manifests.reading import listed_manifests, read_manifest
from glue_jobs.manifests.work import ManifestWork
from glue_jobs.reporting.report import (
    LONGEST_REASON,
    CatalogOutcome,
    RunOutcome,
    SchemaOutcome,
    ask_job_info,
    build_report,
    failure_message,
    write_report,
)
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.contract import SchemaContractStore
from glue_jobs.schema.document import COLUMNS_ADDED
from glue_jobs.schema.growth import growing_places
from glue_jobs.schema.hints import parse_hints
from glue_jobs.schema.limits import SchemaLimits
from glue_jobs.storage import CONCURRENT_REQUESTS
from glue_jobs.task import PartTask
from glue_jobs.writing.names import output_key, rejects_key
from lambda_ingest.contract.records import BYTES_PER_MB
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

    from glue_jobs.arguments import JobArguments
    from glue_jobs.manifests.agreement import Agreement
    from glue_jobs.reporting.pipes import Announcer
    from glue_jobs.schema.contract import SchemaContract
    from glue_jobs.spark import PartRunner

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Environment:
    """What a run needs from outside.

    Attributes:
        s3: S3, of the driver.
        make_glue: makes Glue's client, for what the report says of the run.
        make_catalog: makes Glue's client, for the table in the Data Catalog.
        region: of the workers' S3 clients; None leaves it to their settings.
        now: the clock, aware.
        sleep: waits for some seconds.
        unique: makes text of at least 8 characters that no other run has.
        start_runner: starts what runs tasks, and stops it after its block.
        announcer: tells of progress and the report.
    """

    s3: S3Client
    make_glue: Callable[[], GlueClient]
    make_catalog: Callable[[], GlueClient]
    region: str | None
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    unique: Callable[[], str]
    start_runner: Callable[[], AbstractContextManager[PartRunner]]
    announcer: Announcer


def run_job(arguments: JobArguments, environment: Environment) -> None:
    """Convert the manifests, write the report, tell of both.

    Raises:
        ManifestsFailedError: at least one manifest failed; the message names each with its reason.
        GlueJobError: the run as a whole failed, such as Spark not starting.
    """
    run = _Run(arguments, environment)
    error: BaseException | None = None
    try:
        run.convert()
    except BaseException as caught:
        error = caught
        raise
    finally:
        outcome = run.end(error)
    if outcome.failed:
        raise ManifestsFailedError(failure_message(outcome.failed, len(outcome.manifests)))


class _Run:
    """One run of the job."""

    def __init__(self, arguments: JobArguments, environment: Environment) -> None:
        self._arguments = arguments
        self._environment = environment
        self._started = time.perf_counter()
        self._works: list[ManifestWork] = []
        self._schema: SchemaOutcome | None = None
        self._limits = SchemaLimits(arguments.max_object_members, arguments.max_columns)
        self._catalog: CatalogOutcome | None = None
        self._store = SchemaContractStore(
            environment.s3,
            arguments.manifest_bucket,
            arguments.output_bucket,
            arguments.output_prefix,
            environment.sleep,
        )

    def convert(self) -> None:
        """Convert what can be read."""
        tell = self._environment.announcer.line
        processed_at = self._environment.now()
        listed = listed_manifests(
            self._environment.s3, self._arguments.manifest_paths, self._arguments.manifest_hashes
        )
        self._works = [ManifestWork(uri, sha256) for uri, sha256 in listed.items()]
        self._read_manifests()
        readable = [work for work in self._works if work.error is None]
        if not readable:
            return
        contract = self._known_contract()
        started = time.perf_counter()
        with self._environment.start_runner() as runner:
            tell(
                f"Spark is up after {time.perf_counter() - started:.1f} s with {runner.cores} cores; "
                f"{len(readable)} of {len(self._works)} manifests are readable"
            )
            started = time.perf_counter()
            tasks = {work.uri: self._tasks(work, contract, processed_at) for work in readable}
            self._run_tasks(runner, [task for work in readable for task in tasks[work.uri]])
            for work in readable:
                for result in work.results:
                    work.observed.merge(result.observed)
                    work.observed.compact()
            self._check(tasks)
            tell(f"converted in {time.perf_counter() - started:.2f} s: {self._times()}")

            def convert_again(again: list[PartTask]) -> None:
                tell(f"{len(again)} output files don't have the dataset's columns, converting them again")
                self._run_tasks(runner, again)
                self._check(tasks)

            agreement = agree(
                self._store,
                readable,
                convert_again,
                self._environment.now,
                self._limits,
                self._arguments.job_run_id,
            )
            self._note_schema(contract, agreement)
        started = time.perf_counter()
        with ThreadPoolExecutor(CONCURRENT_REQUESTS, thread_name_prefix="commit") as pool:
            list(pool.map(self._commit, readable))
        tell(f"output made visible in {time.perf_counter() - started:.2f} s")
        self._catalog = self._follow_contract()

    def end(self, error: BaseException | None) -> RunOutcome:
        """Give up what is not visible, write the report; nothing here hides what the run itself raises.

        Args:
            error: why the run as a whole failed; None where it did not.
        """
        run_error = None
        if error is not None:
            run_error = printable(str(error), LONGEST_REASON) or type(error).__name__
            for work in self._works:
                work.error = work.error or f"not converted: {run_error}"
        for work in self._works:
            work.give_up(self._environment.s3)
        outcome = RunOutcome([work.outcome() for work in self._works], run_error, self._schema, self._catalog)
        if outcome.failed and run_error is None:
            outcome.error_message = failure_message(outcome.failed, len(self._works))
        try:
            self._tell(outcome)
        except Exception:
            logger.exception("the run can't be reported; its work is not touched by that")
        return outcome

    def _known_contract(self) -> SchemaContract:
        contract = self._store.read()
        if not self._arguments.accepts_new_columns and not contract.types:
            raise SchemaContractError(
                f"--SCHEMA_MODE freeze, but {self._store.uri} has no columns yet; run once with evolve"
            )
        self._schema = SchemaOutcome(self._store.uri, contract.version, generation=contract.generation)
        return contract

    def _note_schema(self, before: SchemaContract, agreement: Agreement) -> None:
        """Keep what the report says; versions that runs at the same time wrote count as this run's too."""
        after, settled = agreement.contract, agreement.settled
        added = tuple(
            path
            for entry in after.history
            if entry["version"] > before.version and entry["kind"] == COLUMNS_ADDED
            for path in entry["added"]
        )
        self._schema = SchemaOutcome(
            self._store.uri,
            after.version,
            added,
            after.generation,
            settled.is_full or Columns(after.types).leaves >= self._limits.max_columns,
            settled.left_without,
        )
        if self._schema.is_full:
            logger.warning(
                "%s has no room for further columns (--MAX_COLUMNS %d, --MAX_OBJECT_MEMBERS %d); what comes "
                "new goes to _rescued",
                self._store.uri,
                self._limits.max_columns,
                self._limits.max_object_members,
            )
        if added:
            self._environment.announcer.line(
                f"the dataset has {len(added)} new columns, contract version {after.version}"
            )

    def _follow_contract(self) -> CatalogOutcome | None:
        """Bring the dataset's table to the contract, after the rows are there.

        It fails nothing: the rows stand, the report tells, and the next run does what this one could not.
        """
        name = self._arguments.catalog
        if name is None:
            return None
        tell = self._environment.announcer.line
        try:
            table = CatalogTable(
                self._environment.make_catalog(),
                name.database,
                name.table,
                self._arguments.output_bucket,
                self._arguments.output_prefix,
                self._environment.sleep,
            )
            outcome = table.follow(self._store.read)
        except GlueJobError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - the rows are there whatever becomes of the table
            reason = _unexpected(f"bringing table {name.database}.{name.table} to the contract", error)
        else:
            if outcome.is_updated:
                tell(
                    f"table {table.name} follows contract version {outcome.schema_version} now"
                    + (f", without {len(outcome.left_out)} columns or members" if outcome.left_out else "")
                )
            return outcome
        logger.error("the Data Catalog is behind: %s", reason)
        tell(f"the Data Catalog is behind: {printable(reason, LONGEST_REASON)}")
        return CatalogOutcome(name.database, name.table, error_message=printable(reason, LONGEST_REASON))

    def _read_manifests(self) -> None:
        def read(work: ManifestWork) -> None:
            try:
                found = read_manifest(self._environment.s3, work.uri, work.sha256, self._arguments.trust)
                work.manifest, work.unchecked = found.manifest, found.unchecked
            except GlueJobError as error:
                work.error = str(error)
            except Exception as error:  # noqa: BLE001 - one manifest harms only itself
                work.error = _unexpected(f"reading manifest {work.uri}", error)

        with ThreadPoolExecutor(CONCURRENT_REQUESTS, thread_name_prefix="manifest") as pool:
            list(pool.map(read, self._works))
        first_of_name: dict[str, str] = {}
        for work in self._works:
            if work.manifest is None:
                logger.error("%s", work.error)
                continue
            if work.unchecked:
                logger.warning("%s: could not check %s", work.uri, "; ".join(work.unchecked))
            first = first_of_name.setdefault(work.manifest.name.filename, work.uri)
            if first != work.uri:
                work.error = str(
                    ManifestReadError(
                        f"manifest {work.uri} has the name of {first}, and so the same output files"
                    )
                )

    def _tasks(self, work: ManifestWork, contract: SchemaContract, processed_at: datetime) -> list[PartTask]:
        manifest, arguments = work.manifest, self._arguments
        if manifest is None:
            return []
        parts = part_count(
            manifest.total_size_bytes, len(manifest.files), arguments.target_file_mb * BYTES_PER_MB
        )
        return [
            PartTask(
                manifest_uri=work.uri,
                part=part,
                files=files,
                output_bucket=arguments.output_bucket,
                output_key=output_key(arguments.output_prefix, manifest.name, part, arguments.codec),
                codec=arguments.codec,
                processed_at=processed_at,
                settled=Columns(
                    dict(contract.types),
                    arguments.accepts_new_columns,
                    self._limits,
                    parse_hints(contract.hints),
                    growing_places(contract.history),
                ),
                has_rescued=contract.has_rescued,
                generation=contract.generation,
                quarantine_bucket=arguments.quarantine_bucket,
                rejects_key=rejects_key(arguments.output_prefix, manifest.name, part),
                region=self._environment.region,
                reading=arguments.reading,
            )
            for part, files in enumerate(share_files(manifest.files, parts))
        ]

    def _run_tasks(self, runner: PartRunner, tasks: Sequence[PartTask]) -> None:
        by_uri = {work.uri: work for work in self._works}
        for result in runner.run(tasks):
            by_uri[result.task.manifest_uri].take(self._environment.s3, result)

    def _check(self, tasks: dict[str, list[PartTask]]) -> None:
        for work in self._works:
            work.check(tasks.get(work.uri, []), self._arguments.max_rejected_fraction)
            if work.records_rejected and self._arguments.quarantine_bucket is None:
                logger.warning(
                    "%s: %d rejected records are only counted, since there is no --QUARANTINE_BUCKET",
                    work.uri,
                    work.records_rejected,
                )

    def _commit(self, work: ManifestWork) -> None:
        try:
            environment = self._environment
            commit(self._arguments, environment.s3, work, environment.now, environment.unique())
        except GlueJobError as error:
            work.error = str(error)
        except Exception as error:  # noqa: BLE001 - one manifest harms only itself
            work.error = _unexpected(f"making the output of {work.uri} visible", error)

    def _tell(self, outcome: RunOutcome) -> None:
        environment, arguments = self._environment, self._arguments
        seconds = time.perf_counter() - self._started
        job = ask_job_info(environment.make_glue, arguments.job_name, arguments.job_run_id)
        now = environment.now()
        report = build_report(job, outcome, seconds, now)
        uri = write_report(environment.s3, arguments.manifest_bucket, report, now, environment.unique())
        environment.announcer.report(uri, report)
        summary = report["processing_summary"]
        environment.announcer.line(
            f"{summary['status']}: {summary['records_processed']:,} records, "
            f"{summary['records_rejected']:,} rejected, "
            f"{summary['input_size_mb']:.1f} MB in, {summary['output_size_mb']:.1f} MB in "
            f"{summary['parquet_files_created']} Parquet files out, {seconds:.1f} s; report {uri}"
        )

    def _times(self) -> str:
        results = [result for work in self._works for result in work.results]
        steps = ("read", "parse", "encode")
        sums = {step: sum(result.seconds.get(step, 0.0) for result in results) for step in steps}
        return f"{len(results)} tasks, seconds over all: " + ", ".join(
            f"{step} {sums[step]:.2f}" for step in steps
        )


def _unexpected(what: str, error: Exception) -> str:
    logger.error("%s failed\n%s", what, "".join(traceback.format_tb(error.__traceback__)))
    return f"{type(error).__name__} while {what}; see the driver's log"
