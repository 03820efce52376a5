"""The Lambda behind the queue: tracks the files that SQS messages report, then cuts the dates they touched.

A message is done once its files are recorded. Cutting what is due comes after, and a failure of it is left
to the next invocation or the sweeper: it never fails a message.
"""

import os
from collections.abc import Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambda_ingest.aws.log import logger
from lambda_ingest.errors import EventFormatError
from lambda_ingest.files.events import ObjectCreated, ParsedMessage, parse_message
from lambda_ingest.files.overwrites import Overwritten
from lambda_ingest.files.quarantine import Quarantined
from lambda_ingest.files.tracking import Tracked, TrackingOutcome
from lambda_ingest.files.validation import RefusedFile, validate
from lambda_ingest.invocation import Invocation
from lambda_ingest.runtime import CONCURRENT_FILES, Runtime, current_runtime

_ACCEPTED = frozenset({TrackingOutcome.NEW, TrackingOutcome.FOLLOWED})


@logger.inject_lambda_context(clear_state=True)
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Answer one batch of SQS messages.

    Args:
        event: as the service's event source mapping sends it, `{"Records": [...]}`.
        context: the invocation's.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": messageId}, ...]}`: the messages to deliver again.

    Raises:
        SettingsError: the environment variables are missing or wrong.
    """
    return handle(event, context, current_runtime(os.environ))


def handle(
    event: Mapping[str, Any], context: LambdaContext, runtime: Runtime
) -> dict[str, list[dict[str, str]]]:
    """Do what `handler` does, with the parts passed in."""
    invocation = Invocation(runtime, context)
    messages = _Messages(invocation)
    messages.receive(event.get("Records") or [])
    invocation.count_refused(messages.refused)
    invocation.cut_dates()
    messages.fail_untold(invocation.tell_overwritten())
    invocation.record()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in messages.failed]}


class _Messages:
    """Takes a batch of messages apart, and keeps which of them failed, and which files were refused."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._runtime = invocation.runtime
        # A dict keeps the order and drops repetitions: an identifier given twice fails the whole batch.
        self.failed: dict[str, None] = {}
        self.refused: list[RefusedFile] = []
        self._overwritten: list[tuple[str, Overwritten]] = []

    def receive(self, records: list[Mapping[str, Any]]) -> None:
        work: list[tuple[str, ObjectCreated]] = []
        for record in records:
            message_id = str(record.get("messageId", ""))
            parsed = self._parse(message_id, record.get("body"))
            for reason in parsed.ignored if parsed else ():
                logger.info("Acknowledged without work", message_id=message_id, reason=reason)
            work += [(message_id, created) for created in (parsed.objects if parsed else ())]
        if not work:
            return
        with ThreadPoolExecutor(max_workers=min(CONCURRENT_FILES, len(work))) as pool:
            outcomes = pool.map(lambda item: self._take(*item), work)
            for (message_id, created), outcome in zip(work, outcomes, strict=True):
                self._settle(message_id, created, outcome)

    def _parse(self, message_id: str, body: object) -> ParsedMessage | None:
        try:
            return parse_message(body)
        except EventFormatError as error:
            logger.error("A message is no S3 event and fails alone", message_id=message_id, reason=str(error))
            self._invocation.result.add_error("malformed_message", message_id, str(error))
            self.failed[message_id] = None
            return None

    def _take(self, _: str, created: ObjectCreated) -> "Tracked | Quarantined | Exception | None":
        """Record one object; what goes wrong is returned, for it concerns this message alone."""
        try:
            if created.key.endswith("/"):
                logger.info("Acknowledged a folder marker", uri=created.uri)
                return None
            judged = validate(created, self._runtime.settings, self._runtime.clock())
            if isinstance(judged, RefusedFile):
                return self._runtime.quarantine.take(judged, self._invocation.remaining_seconds)
            return self._runtime.tracker.track(judged, self._invocation.remaining_seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message is delivered again
            return error

    def _settle(
        self, message_id: str, created: ObjectCreated, outcome: "Tracked | Quarantined | Exception | None"
    ) -> None:
        """Count an outcome, alert what it demands, and fail its message where it failed."""
        result = self._invocation.result
        match outcome:
            case None:
                return
            case Exception():
                self._fail(message_id, created, outcome)
                return
            case Quarantined(refused=refused, tracked=tracked):
                if tracked is None:
                    return
                result.quarantined[refused.date_prefix] += 1
                self.refused.append(refused)
                result.add_error("quarantined", created.uri, refused.reason)
                logger.warning(
                    "Quarantined a file", uri=created.uri, reason=refused.reason, moved=outcome.moved
                )
            case Tracked():
                tracked = outcome
                if tracked.outcome in _ACCEPTED:
                    result.processed[tracked.file.date_prefix] += 1
                else:
                    logger.info("Acknowledged a file", uri=created.uri, outcome=tracked.outcome.value)
                if tracked.is_pending:
                    self._invocation.dates.add(tracked.file.date_prefix)
        if tracked.overwritten is not None:
            self._invocation.overwritten.append(tracked.overwritten)
            self._overwritten.append((message_id, tracked.overwritten))

    def fail_untold(self, due: Set[Overwritten]) -> None:
        """Fail the messages of overwrites that nobody could be told of; they stay due until then."""
        for message_id, overwritten in self._overwritten:
            if overwritten in due:
                self.failed[message_id] = None

    def _fail(self, message_id: str, created: ObjectCreated, error: Exception) -> None:
        logger.error(
            "A file could not be recorded; its message is delivered again",
            message_id=message_id,
            uri=created.uri,
            exc_info=error,
        )
        self._invocation.result.add_error(type(error).__name__, created.uri, str(error))
        self.failed[message_id] = None
