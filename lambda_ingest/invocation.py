"""One invocation of either Lambda: dates in, manifests out, the alerts it owes, the account it leaves."""

from collections.abc import Callable
from decimal import Decimal

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.builder import DateBuild, RemainingSeconds
from lambda_ingest.errors import IngestError
from lambda_ingest.log import logger
from lambda_ingest.metrics import emit_to_cloudwatch
from lambda_ingest.report import ExecutionInfo, InvocationResult, report_document, write_report
from lambda_ingest.runtime import Runtime


class Invocation:
    """What builder and sweeper share: dates in, manifests out, and the account of it."""

    def __init__(self, runtime: Runtime, remaining_seconds: RemainingSeconds) -> None:
        self.runtime = runtime
        self.remaining_seconds = remaining_seconds
        self.dates: set[str] = set()
        self.metrics: dict[str, int | Decimal] = {}
        self.result = InvocationResult()

    def build_dates(self) -> None:
        """Build each date that was touched; a date that fails is left to the next, and harms no other."""
        for date_prefix in sorted(self.dates):
            self.build_date(date_prefix, self.runtime.builder.build)

    def build_date(
        self, date_prefix: str, build_of: Callable[[DateBuild, RemainingSeconds], None]
    ) -> DateBuild:
        """Run one build, keep what it did, and return it; what it did before an error counts too."""
        build = DateBuild(date_prefix)
        try:
            build_of(build, self.remaining_seconds)
        except Exception as error:  # noqa: BLE001 - the files are recorded; nothing here may fail a message
            logger.exception("A build failed; the next one or the sweeper goes on", date_prefix=date_prefix)
            self.result.add_error(type(error).__name__, date_prefix, str(error))
        self.result.manifests += build.manifests
        for overwritten in build.overwritten:
            try:
                self.alert_overwritten(
                    overwritten.date_prefix, overwritten.file_key, overwritten.uri, overwritten.etag
                )
            except (BotoCoreError, ClientError, IngestError) as error:
                logger.exception("An overwrite could not be alerted", uri=overwritten.uri)
                self.result.add_error(type(error).__name__, overwritten.uri, str(error))
        return build

    def alert_overwritten(self, date_prefix: str, file_key: str, uri: str, etag: str) -> None:
        """Alert an overwrite, then note that it was alerted: a crash between alerts twice, never not."""
        self.result.add_error("overwritten", uri, "new content after its batch was committed")
        self.runtime.alerts.overwritten(date_prefix=date_prefix, uri=uri, new_etag=etag)
        self.runtime.tracker.overwrite_alerted(date_prefix, file_key, etag)

    def record(self, info: Callable[[], ExecutionInfo]) -> None:
        """Leave the report and the metrics; failing to never fails the work."""
        runtime, now = self.runtime, self.runtime.clock()
        if self.result.touched_anything:
            self.metrics |= {
                "files_processed": self.result.processed.total(),
                "files_quarantined": self.result.quarantined.total(),
                "manifests_created": len(self.result.manifests),
            }
        try:
            runtime.metrics.put(self.metrics)
        except (BotoCoreError, ClientError, IngestError):
            logger.exception("The metrics could not be written; the work stands")
        described = info()
        emit_to_cloudwatch(self.metrics, described.function_name)
        if not self.result.touched_anything:
            return
        document = report_document(self.result, described, now)
        write_report(runtime.clients.s3, runtime.settings.manifest_bucket, document, now, runtime.new_id())
