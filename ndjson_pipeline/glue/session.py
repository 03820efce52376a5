"""One Glue run for some claimed manifests, with Dagster Pipes beside it."""

import hashlib
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.keys import ManifestName, s3_uri
from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.dagster_runs import is_termination_asked_for
from ndjson_pipeline.claims.record import instant_of
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.errors import (
    GlueBusyError,
    GlueDeadlineError,
    GlueStartRefusedError,
    StaleHolderError,
)
from ndjson_pipeline.glue.begun_runs import BegunRuns
from ndjson_pipeline.glue.capacity import Capacity
from ndjson_pipeline.glue.messages import IdentityContextInjector, IdentityMessageReader, list_key
from ndjson_pipeline.glue.outputs import Outputs
from ndjson_pipeline.glue.report import GlueReport
from ndjson_pipeline.glue.reported import find_report, read_report
from ndjson_pipeline.glue.runs import (
    ATTEMPTS_ARGUMENT,
    IDENTITY_ARGUMENT,
    LIST_LAG,
    MANIFESTS_ARGUMENT,
    NO_SHA256,
    NONCE_ARGUMENT,
    SHA256_ARGUMENT,
    GlueRun,
    GlueRuns,
    Workers,
    attempts_argument,
    run_identity,
)

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# A Glue that does not say how a begun run is, is asked again this often: no other must start beside it.
BUSY_LOOKS = 12
BUSY_WAIT_SECONDS = 10.0
# Linux gives a process 128 KB an argument; what is longer than this is listed by an object in S3.
LONGEST_ARGUMENT = 8_192

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConversionGroup:
    """Claimed manifests that one Glue run converts.

    Attributes:
        claims: the claims.
        begun: the Glue run that an earlier process began for them, going or ended; None where one is to be
            started.
    """

    claims: tuple[Claim, ...]
    begun: GlueRun | None = None

    @property
    def identity(self) -> str:
        """The identity of its Glue run, below which the run's messages lie."""
        own = run_identity((claim.record.name.filename, claim.attempt) for claim in self.claims)
        return own if self.begun is None else self.begun.arguments.get(IDENTITY_ARGUMENT, own)


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
    """Runs Glue for claimed manifests, and knows of which a Glue run may go on whatever error ends the work.

    Args:
        runs: of the Glue job.
        records: the manifests'.
        s3: where Pipes' context and messages lie.
        manifest_bucket: the bucket of these.
        output_bucket: the bucket of what Glue writes.
        clock: tells the present instant.
    """

    def __init__(
        self,
        runs: GlueRuns,
        records: ManifestRecordStore,
        s3: "S3Client",
        *,
        manifest_bucket: str,
        output_bucket: str,
        capacity: Capacity,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._capacity = capacity
        self._records = records
        self._s3 = s3
        self._manifest_bucket = manifest_bucket
        self._outputs = Outputs(s3, output_bucket)
        self._clock = clock
        self._going: dict[ManifestName, bool] = {}
        self._run_ids: dict[ManifestName, str] = {}

    def may_be_going(self, claim: Claim) -> bool:
        """Tell whether a Glue run of a claim goes on, or may: then nobody may begin another beside it.

        A claim that goes on with an earlier process's attempt counts as such until Glue has said otherwise.
        """
        return self._going.get(claim.record.name, claim.begun_at is not None)

    def run_id_of(self, claim: Claim) -> str | None:
        """Return the Glue run of a claim, where it is known."""
        return self._run_ids.get(claim.record.name)

    def group(self, claims: Sequence[Claim]) -> list[ConversionGroup]:
        """Share claims out to Glue runs: those that have begun, and one for the claims that have none.

        Claims that go on with what an earlier process began are looked for in Glue, and looked for again
        after its list of runs must show what that process started last.

        Raises:
            GlueBusyError: Glue would not say how a run is.
        """
        begun = self._begun([claim for claim in claims if claim.begun_at is not None])
        by_run: dict[str, tuple[GlueRun, list[Claim]]] = {}
        alone: list[Claim] = []
        for claim in claims:
            run = begun.get(claim.record.name)
            if run is None:
                self._note([claim], may_be_going=False)
                alone.append(claim)
            else:
                self._note([claim], may_be_going=True, run_id=run.run_id)
                by_run.setdefault(run.run_id, (run, []))[1].append(claim)
        groups = [ConversionGroup(tuple(held), run) for run, held in by_run.values()]
        return [*groups, ConversionGroup(tuple(alone))] if alone else groups

    def convert(self, context: dg.AssetExecutionContext, group: ConversionGroup) -> Conversion:
        """Run Glue for a group, or attach to the run that has begun already.

        Whatever it raises, `may_be_going` says afterwards whether the group's Glue run goes on.

        Raises:
            GlueRunError: the run could not be started or watched to its end.
            StaleHolderError: other runs held all of its manifests before it began; if it was started all the
                same, it was told to stop.
            DagsterExecutionInterruptedError: the process was interrupted; the Glue run was told to stop
                where a person asked for the run's end, and goes on where the host ended the process.
        """
        identity = group.identity
        reader = IdentityMessageReader(bucket=self._manifest_bucket, client=self._s3, identity=identity)
        injector = IdentityContextInjector(
            bucket=self._manifest_bucket, client=self._s3, identity=identity, run_id=context.run.run_id
        )
        try:
            with dg.open_pipes_session(
                context=context, context_injector=injector, message_reader=reader
            ) as session:
                try:
                    arguments = session.get_bootstrap_cli_arguments()
                    run_id = self._start_or_attach(context, group, arguments, reader)
                    run = self._runs.watch(run_id)
                except dg.DagsterExecutionInterruptedError:
                    reader.give_up()
                    raise
        except (GlueStartRefusedError, GlueDeadlineError, StaleHolderError):
            # Each says that no run of the group goes on, or none that is this process's to tell of.
            self._note(group.claims, may_be_going=False)
            raise
        except dg.DagsterExecutionInterruptedError:
            self._stop_if_asked_for(context, group)
            raise
        # The session's end waits for the last messages, so the report is here if it was ever sent. Glue says
        # which nonce the run has: where two processes started at once, it may be the other's.
        report = find_report(session.get_custom_messages(), run)
        if report is None or reader.nonce != run.arguments.get(NONCE_ARGUMENT):
            report = read_report(self._s3, self._manifest_bucket, run)
        if report is not None:
            report = self._outputs.confirmed(report)
        else:
            context.log.warning("No report came from the Glue run; its state alone counts for its manifests")
        self._note(group.claims, may_be_going=False)
        return Conversion(run, report)

    def _note(self, claims: Sequence[Claim], *, may_be_going: bool, run_id: str | None = None) -> None:
        for claim in claims:
            self._going[claim.record.name] = may_be_going
            if run_id is not None:
                self._run_ids[claim.record.name] = run_id

    def _begun(self, claims: Sequence[Claim]) -> dict[ManifestName, GlueRun]:
        """Return the Glue runs that an earlier process began for claims."""
        found = self._look(claims)
        missing = [claim for claim in claims if claim.record.name not in found]
        begun_at = [instant_of(claim.begun_at) for claim in missing if claim.begun_at is not None]
        lag = (max(begun_at) + LIST_LAG - self._clock()).total_seconds() if begun_at else 0.0
        if lag > 0:
            self._runs.wait(lag)
            found |= self._look(missing)
        return found

    def _look(self, claims: Sequence[Claim]) -> dict[ManifestName, GlueRun]:
        """Look once, patiently: no other run must start beside one of which Glue would not say how it is."""
        for _ in range(BUSY_LOOKS):
            try:
                return self._find(claims)
            except GlueBusyError as error:
                logger.warning("%s; asking again in %.0f s", error, BUSY_WAIT_SECONDS)
                self._runs.wait(BUSY_WAIT_SECONDS)
        return self._find(claims)

    def _find(self, claims: Sequence[Claim]) -> dict[ManifestName, GlueRun]:
        begun = BegunRuns(self._runs)
        found = {}
        for claim in claims:
            record = claim.record
            run = begun.find(record.name.filename, claim.attempt, record.glue_job_run_id)
            if run is not None:
                found[record.name] = run
        return found

    def _start_or_attach(
        self,
        context: dg.AssetExecutionContext,
        group: ConversionGroup,
        pipes_arguments: Mapping[str, str],
        reader: IdentityMessageReader,
    ) -> str:
        claims = group.claims
        begun = group.begun or self._runs.find(group.identity)
        if begun is not None:
            run_id = begun.run_id
            reader.nonce = begun.arguments.get(NONCE_ARGUMENT)
            self._note(claims, may_be_going=True, run_id=run_id)
            context.log.info(f"Attached to Glue run {run_id}, which this attempt began earlier")
        else:
            reader.nonce = secrets.token_hex(32)
            workers = self._capacity.workers_for(sum(claim.record.total_size_mb for claim in claims))
            run_id = self._runs.start(
                {**pipes_arguments, **self._manifest_arguments(group), NONCE_ARGUMENT: reader.nonce},
                group.identity,
                workers=Workers(self._capacity.worker_type, workers),
                confirm=lambda: self._confirm(group),
                note=lambda may_be_going: self._note(claims, may_be_going=may_be_going),
            )
            self._note(claims, may_be_going=True, run_id=run_id)
            context.log.info(f"Started Glue run {run_id} of {self._runs.job_name} with {workers} workers")
        if not self._store_run_id(context, claims, run_id) and begun is None:
            self._runs.stop(run_id)
            raise StaleHolderError(
                f"Glue run {run_id} was told to stop: later attempts hold all of its manifests by now"
            )
        return run_id

    def _store_run_id(self, context: dg.AssetExecutionContext, claims: Sequence[Claim], run_id: str) -> bool:
        """Store the Glue run of claims; False where later attempts hold all of them."""
        is_held = False
        for claim in claims:
            try:
                self._records.started(claim, run_id)
                is_held = True
            except StaleHolderError as error:
                # Its later holder decides what counts; the other manifests of the run go on.
                context.log.warning(str(error))
            except (BotoCoreError, ClientError) as error:
                # The run's arguments name the attempt, so it is found without its id, too.
                context.log.warning(
                    f"Glue run {run_id} could not be stored with {claim.record.manifest_path}: {error}"
                )
                is_held = True
        return is_held

    def _manifest_arguments(self, group: ConversionGroup) -> dict[str, str]:
        """Return the arguments that name a group's manifests; many are listed by an object."""
        paths = ",".join(claim.record.manifest_path for claim in group.claims)
        attempts = [(claim.record.name.filename, claim.attempt) for claim in group.claims]
        hashes = [claim.record.manifest_sha256 or NO_SHA256 for claim in group.claims]
        if len(paths) <= LONGEST_ARGUMENT:
            return {
                MANIFESTS_ARGUMENT: paths,
                SHA256_ARGUMENT: ",".join(hashes),
                ATTEMPTS_ARGUMENT: attempts_argument(attempts),
            }
        key = list_key(group.identity)
        content = "\n".join(
            f"{claim.record.manifest_path} {claim.attempt} {sha256}"
            for claim, sha256 in zip(group.claims, hashes, strict=True)
        ).encode()
        self._s3.put_object(Bucket=self._manifest_bucket, Key=key, Body=content, ContentType="text/plain")
        uri = s3_uri(self._manifest_bucket, key)
        return {
            MANIFESTS_ARGUMENT: uri,
            # Others can write the bucket, so the argument says which list it is.
            SHA256_ARGUMENT: hashlib.sha256(content).hexdigest(),
            ATTEMPTS_ARGUMENT: uri,
        }

    def _stop_if_asked_for(self, context: dg.AssetExecutionContext, group: ConversionGroup) -> None:
        """Tell Glue to stop a group's run, where a person asked for the end of the Dagster run."""
        if not any(self.may_be_going(claim) for claim in group.claims):
            return
        run_id = self.run_id_of(group.claims[0])
        try:
            if not is_termination_asked_for(context.instance, context.run.run_id):
                context.log.warning(f"Interrupted by its host, not by a person: Glue run {run_id} goes on")
            elif not self._holds_any(group):
                context.log.warning(f"Terminated: Glue run {run_id} is another run's by now, and goes on")
            else:
                self._stop(context, group, run_id)
        except (BotoCoreError, ClientError) as error:
            context.log.warning(f"Terminated, and Glue run {run_id} could not be told to stop: {error}")

    def _stop(self, context: dg.AssetExecutionContext, group: ConversionGroup, run_id: str | None) -> None:
        if run_id is None:
            # The end came before the answer did.
            begun = self._runs.find(group.identity)
            run_id = None if begun is None else begun.run_id
        if run_id is None:
            context.log.warning("Terminated while Glue was asked for a run, which its list does not show yet")
            return
        context.log.warning(f"Terminated: stopping Glue run {run_id}")
        if self._runs.stop(run_id):
            self._note(group.claims, may_be_going=False, run_id=run_id)

    def _confirm(self, group: ConversionGroup) -> None:
        """Make sure, right before Glue is told to start, that it is still this process's to tell.

        One that stood still since its claim, or waited for a free place, may have been taken for dead; Glue
        would not refuse a second run for the same attempt.

        Raises:
            StaleHolderError: it holds none of the manifests any more.
        """
        if not self._holds_any(group):
            raise StaleHolderError("no Glue run was started: other runs hold all of its manifests by now")

    def _holds_any(self, group: ConversionGroup) -> bool:
        """Tell whether a claim of the group is still held as it was made."""
        for claim in group.claims:
            record = self._records.find(claim.record.name)
            if record is not None and (record.dagster_run_id, record.attempt) == (
                claim.run_id,
                claim.attempt,
            ):
                return True
        return False
