"""One Glue run for some claimed manifests, with Dagster Pipes beside it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from ndjson_pipeline.errors import ReportFormatError, StaleHolderError
from ndjson_pipeline.glue.messages import IdentityMessageReader, context_injector
from ndjson_pipeline.glue.runs import ATTEMPTS_ARGUMENT, GlueRuns, attempts_argument, run_identity
from ndjson_pipeline.glue.states import GlueRun
from ndjson_pipeline.manifest_records.store import Claim, ManifestRecordStore
from ndjson_pipeline.reports.glue_report import GlueReport, parse_glue_report

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

REPORT_MESSAGE_KIND = "glue_report"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Conversion:
    """How a Glue run ended.

    Attributes:
        run: as Glue shows it.
        report: what it reported, or None where no report arrived.
    """

    run: GlueRun
    report: GlueReport | None


class Converter:
    """Runs Glue for claimed manifests."""

    def __init__(
        self, runs: GlueRuns, records: ManifestRecordStore, s3: "S3Client", *, manifest_bucket: str
    ) -> None:
        self._runs = runs
        self._records = records
        self._s3 = s3
        self._manifest_bucket = manifest_bucket

    def convert(self, context: dg.AssetExecutionContext, claims: Sequence[Claim]) -> Conversion:
        """Run Glue for these manifests, or attach to the run that this very attempt has begun already.

        Raises:
            GlueRunError: the run could not be started or watched to its end.
            DagsterExecutionInterruptedError: the Dagster run was terminated; the Glue run was told to stop.
        """
        identity = run_identity((claim.record.name.filename, claim.attempt) for claim in claims)
        reader = IdentityMessageReader(bucket=self._manifest_bucket, client=self._s3, identity=identity)
        injector = context_injector(bucket=self._manifest_bucket, client=self._s3, identity=identity)
        with dg.open_pipes_session(
            context=context, context_injector=injector, message_reader=reader
        ) as session:
            run_id = self._start_or_attach(context, claims, identity, session.get_bootstrap_cli_arguments())
            run = self._watch(context, run_id)
        # The session's end waits for the last messages, so the report is here if it was ever sent.
        report = find_report(session.get_custom_messages())
        if report is None:
            context.log.warning("No report came from the Glue run; its state alone counts for its manifests")
        return Conversion(run, report)

    def _start_or_attach(
        self,
        context: dg.AssetExecutionContext,
        claims: Sequence[Claim],
        identity: str,
        pipes_arguments: Mapping[str, str],
    ) -> str:
        begun = self._runs.find(identity)
        if begun is not None:
            context.log.info(f"Attached to Glue run {begun.run_id}, which this attempt began earlier")
            run_id = begun.run_id
        else:
            paths = ",".join(claim.record.manifest_path for claim in claims)
            arguments = {
                **pipes_arguments,
                "--MANIFEST_PATH": paths,
                ATTEMPTS_ARGUMENT: attempts_argument(
                    (claim.record.name.filename, claim.attempt) for claim in claims
                ),
            }
            run_id = self._runs.start(arguments, identity)
            context.log.info(f"Started Glue run {run_id} of {self._runs.job_name}")
        for claim in claims:
            try:
                self._records.started(claim, run_id)
            except StaleHolderError as error:
                # Its later holder decides what counts; the other manifests of the run go on.
                context.log.warning(str(error))
        return run_id

    def _watch(self, context: dg.AssetExecutionContext, run_id: str) -> GlueRun:
        try:
            return self._runs.watch(run_id)
        except dg.DagsterExecutionInterruptedError:
            context.log.warning(f"Terminated: stopping Glue run {run_id}")
            self._runs.stop(run_id)
            raise


def find_report(messages: Sequence[Any]) -> GlueReport | None:
    """Return the report among a run's custom messages, the newest where there are several."""
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("kind") == REPORT_MESSAGE_KIND:
            try:
                return parse_glue_report(str(message.get("report_uri")), message.get("report") or {})
            except ReportFormatError as error:
                logger.warning("%s", error)
    return None
