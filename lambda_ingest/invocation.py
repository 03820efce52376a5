"""One invocation of either Lambda: the dates it cuts, the alerts it owes, the report it leaves."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.metrics import emit_to_cloudwatch
from lambda_ingest.aws.patience import RemainingSeconds
from lambda_ingest.batches.cutter import CommittedManifest, DateCuts
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.keys import report_key, s3_uri
from lambda_ingest.contract.text import printable
from lambda_ingest.contract.validation import RefusedFile
from lambda_ingest.files.overwrites import Overwritten
from lambda_ingest.runtime import Runtime

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass
class InvocationResult:
    """What one invocation did, as it happens.

    Attributes:
        processed: accepted files per date.
        quarantined: refused files per date.
        left_alone: objects that the gate stopped, by its rule.
        manifests: those committed.
        errors: what went wrong, each with the thing it concerns; never a file's content.
    """

    processed: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    left_alone: Counter[str] = field(default_factory=Counter)
    manifests: list[CommittedManifest] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)

    @property
    def touched_anything(self) -> bool:
        """Whether the invocation deserves a report."""
        return bool(self.processed or self.quarantined or self.manifests or self.errors)

    @property
    def status(self) -> str:
        """`success`, or `partial` where something went wrong."""
        return "partial" if self.errors else "success"

    def add_error(self, kind: str, subject: str, message: str) -> None:
        """Note an error about a named thing."""
        self.errors.append({"kind": kind, "subject": printable(subject), "message": printable(message)})


@dataclass(frozen=True)
class ExecutionInfo:
    """Which invocation it was.

    Attributes:
        request_id: the service's id of it.
        function_name: the function.
        memory_limit_mb: its memory.
        execution_time_ms: how long it took up to the report.
    """

    request_id: str
    function_name: str
    memory_limit_mb: int
    execution_time_ms: int


class Invocation:
    """What builder and sweeper share: dates in, manifests out, and the account of it."""

    def __init__(self, runtime: Runtime, context: LambdaContext) -> None:
        self.runtime = runtime
        self._context = context
        self._started = time.perf_counter()
        self.dates: set[str] = set()
        self.metrics: dict[str, int | Decimal] = {}
        self.result = InvocationResult()
        self.overwritten: list[Overwritten] = []

    def remaining_seconds(self) -> float:
        """Return how long the Lambda has before its timeout."""
        return self._context.get_remaining_time_in_millis() / 1000

    def cut_dates(self) -> None:
        """Cut what is due of each date that was touched; a date that fails harms no other."""
        for date_prefix in sorted(self.dates):
            self.cut_date(date_prefix, self.runtime.cutter.cut)

    def cut_date(self, date_prefix: str, cut: Callable[[DateCuts, RemainingSeconds], None]) -> DateCuts:
        """Cut one date, keep what was done, and return it; what was done before an error counts too."""
        cuts = DateCuts(date_prefix)
        try:
            cut(cuts, self.remaining_seconds)
        except Exception as error:  # noqa: BLE001 - the files are recorded; nothing here may fail a message
            logger.exception("A date was not cut; the next builder goes on", date_prefix=date_prefix)
            self.result.add_error(type(error).__name__, date_prefix, str(error))
        self.result.manifests += cuts.manifests
        self.overwritten += cuts.overwritten
        return cuts

    def tell_overwritten(self) -> set[Overwritten]:
        """Tell of the overwrites of this invocation in one alert, and return those that stay due."""
        if not self.overwritten:
            return set()
        told = self.runtime.overwrites.tell(self.overwritten)
        for overwritten, comparison in told.told:
            self.result.add_error("overwritten", overwritten.uri, comparison.reason)
        for overwritten, error in told.failed:
            logger.error("An overwrite could not be told", uri=overwritten.uri, exc_info=error)
            self.result.add_error(type(error).__name__, overwritten.uri, str(error))
        return {overwritten for overwritten, _ in told.failed}

    def count_refused(self, refused: Sequence[RefusedFile]) -> None:
        """Count what was refused, and alert where that is due; a failure of it fails no message."""
        try:
            self.runtime.refusals.add(refused, self.remaining_seconds)
        except Exception as error:  # noqa: BLE001 - the files are recorded; nothing here may fail a message
            logger.exception("Refused files were not counted, or not alerted", file_count=len(refused))
            self.result.add_error(type(error).__name__, "refused files", str(error))

    def record(self) -> None:
        """Leave the report and the metrics; failing to never fails the work."""
        runtime, now = self.runtime, self.runtime.clock()
        if self.result.touched_anything:
            self.metrics |= {
                "files_processed": self.result.processed.total(),
                "files_quarantined": self.result.quarantined.total(),
                "manifests_created": len(self.result.manifests),
            }
        if self.result.left_alone:
            self.metrics["files_left_alone"] = self.result.left_alone.total()
        try:
            runtime.metrics.put(self.metrics, self.remaining_seconds)
        except (BotoCoreError, ClientError, IngestError):
            logger.exception("The metrics could not be written; the work stands")
        emit_to_cloudwatch(self.metrics, self._context.function_name)
        if not self.result.touched_anything:
            return
        document = report_document(self.result, self._info(), now)
        write_report(runtime.clients.s3, runtime.settings.manifest_bucket, document, now, runtime.new_id())

    def _info(self) -> ExecutionInfo:
        return ExecutionInfo(
            request_id=self._context.aws_request_id,
            function_name=self._context.function_name,
            memory_limit_mb=int(self._context.memory_limit_in_mb),
            execution_time_ms=round((time.perf_counter() - self._started) * 1000),
        )


def report_document(result: InvocationResult, info: ExecutionInfo, now: datetime) -> dict[str, Any]:
    """Return the report; pure.

    Beyond the contract's fields, `dates` has the counts of each date, for whoever sums them per partition,
    and `left_alone` the objects that the gate stopped, by its rule.
    """
    created = Counter(manifest.date_prefix for manifest in result.manifests)
    dates = sorted(result.processed.keys() | result.quarantined.keys() | created.keys())
    return {
        "execution_info": asdict(info),
        "processing_summary": {
            "files_processed": result.processed.total(),
            "files_quarantined": result.quarantined.total(),
            "manifests_created": len(result.manifests),
            "status": result.status,
        },
        "manifests": [asdict(manifest) for manifest in result.manifests],
        "dates": {
            date_prefix: {
                "files_processed": result.processed[date_prefix],
                "files_quarantined": result.quarantined[date_prefix],
                "manifests_created": created[date_prefix],
            }
            for date_prefix in dates
        },
        "left_alone": dict(sorted(result.left_alone.items())),
        "errors": result.errors,
        "timestamp": utc_timestamp(now),
    }


def write_report(
    s3: "S3Client", bucket: str, document: dict[str, Any], now: datetime, unique: str
) -> str | None:
    """Write a report; a failure is logged and changes nothing else.

    Returns:
        The report's URI, or None where it could not be written.
    """
    key = report_key("lambda", now, unique)
    try:
        s3.put_object(
            Bucket=bucket, Key=key, Body=json.dumps(document).encode(), ContentType="application/json"
        )
    except (BotoCoreError, ClientError):
        logger.exception("The report could not be written; the work stands", report_key=key)
        return None
    return s3_uri(bucket, key)
