"""The Lambda behind the queue: tracks the files that SQS messages report, then cuts the dates they touched.

A message is done once its files are recorded. Cutting what is due comes after, and a failure of it is left
to the next invocation or the sweeper: it never fails a message.
"""

import os
from collections.abc import Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambda_ingest.aws.log import logger
from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.dates import utc_date
from lambda_ingest.contract.gate import Stopped, stopped
from lambda_ingest.contract.text import printable
from lambda_ingest.contract.validation import RefusedFile, needs_first_arrival, validate
from lambda_ingest.files.events import parse_message
from lambda_ingest.files.overwrites import Overwritten
from lambda_ingest.files.quarantine import Quarantined
from lambda_ingest.files.tracking import Tracked, TrackingOutcome
from lambda_ingest.invocation import Invocation
from lambda_ingest.runtime import CONCURRENT_FILES, Runtime, current_runtime

_ACCEPTED = frozenset({TrackingOutcome.NEW, TrackingOutcome.FOLLOWED})
# How far S3's clock may lie ahead of ours. An event of a later time is no fresh one, whatever it says.
_MOST_AHEAD = timedelta(minutes=1)
# Of buckets that send what they should not, so many are named in a report.
_MOST_BUCKETS_TOLD = 10

Outcome = Tracked | Quarantined | Stopped | Exception


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
        self._strangers: list[RefusedFile] = []

    def receive(self, records: Sequence[Mapping[str, Any]]) -> None:
        work: list[tuple[str, ObjectCreated]] = []
        for record in records:
            message_id = str(record.get("messageId", ""))
            work += [(message_id, created) for created in self._parse(message_id, record.get("body"))]
        if not work:
            return
        with ThreadPoolExecutor(max_workers=min(CONCURRENT_FILES, len(work))) as pool:
            outcomes = pool.map(lambda item: self._take(item[1]), work)
            for (message_id, created), outcome in zip(work, outcomes, strict=True):
                try:
                    self._settle(message_id, created, outcome)
                except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this message alone
                    self._fail(message_id, created, error)
        self._tell_of_strangers()

    def _parse(self, message_id: str, body: object) -> Sequence[ObjectCreated]:
        """Return the objects of a message; what is wrong with it fails it alone."""
        try:
            parsed = parse_message(body)
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this message alone
            # Its text may have some of the body.
            self._fail_body(message_id, f"it could not be read: {type(error).__name__}")
            return ()
        for reason in parsed.ignored:
            logger.info("Acknowledged without work", message_id=message_id, reason=reason)
        if parsed.problem is not None:
            self._fail_body(message_id, parsed.problem)
        return parsed.objects

    def _fail_body(self, message_id: str, reason: str) -> None:
        logger.error("A message is no event of S3 and fails alone", message_id=message_id, reason=reason)
        self._invocation.result.add_error("malformed_message", message_id, reason)
        self.failed[message_id] = None

    def _take(self, created: ObjectCreated) -> Outcome:
        """Record one object; what goes wrong is returned, for it concerns this message alone."""
        runtime = self._runtime
        try:
            if (stop := stopped(created.bucket, created.key, runtime.settings)) is not None:
                return stop
            now = runtime.clock()
            created = _without_future_time(created, now)
            first_arrival = (
                runtime.arrivals.date_of(created, now)
                if needs_first_arrival(created, runtime.settings)
                else None
            )
            judged = validate(created, runtime.settings, now, first_arrival)
            if isinstance(judged, RefusedFile):
                return runtime.quarantine.take(judged, self._invocation.remaining_seconds)
            return runtime.tracker.track(judged, self._invocation.remaining_seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message is delivered again
            return error

    def _settle(self, message_id: str, created: ObjectCreated, outcome: Outcome) -> None:
        """Count an outcome, alert what it demands, and fail its message where it failed."""
        result = self._invocation.result
        match outcome:
            case Exception():
                self._fail(message_id, created, outcome)
                return
            case Stopped():
                self._leave_alone(created, outcome)
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

    def _leave_alone(self, created: ObjectCreated, stop: Stopped) -> None:
        """Count what the gate stopped, and tell loudly of what should not have come at all."""
        self._invocation.result.left_alone[stop.kind] += 1
        tell = logger.error if stop.is_loud else logger.info
        tell("Left an object alone", uri=printable(created.uri), reason=stop.reason)
        if stop.is_loud:
            today = utc_date(self._runtime.clock()).isoformat()
            stranger = RefusedFile(today, "", created, stop.reason)
            self._strangers.append(stranger)
            self.refused.append(stranger)

    def _tell_of_strangers(self) -> None:
        """Put an entry for each bucket that is none of ours into the report; of many, the first ones."""
        by_bucket: dict[tuple[str, str], list[RefusedFile]] = {}
        for stranger in self._strangers:
            by_bucket.setdefault((stranger.object.bucket, stranger.kind), []).append(stranger)
        for (bucket, kind), (first, *others) in list(by_bucket.items())[:_MOST_BUCKETS_TOLD]:
            self._invocation.result.add_error(
                kind.replace(" ", "_"),
                printable(first.object.uri),
                f"{first.reason}; {len(others) + 1} objects of {bucket} were left alone",
            )

    def _fail(self, message_id: str, created: ObjectCreated, error: Exception) -> None:
        logger.error(
            "A file could not be recorded; its message is delivered again",
            message_id=message_id,
            uri=created.uri,
            exc_info=error,
        )
        self._invocation.result.add_error(type(error).__name__, created.uri, str(error))
        self.failed[message_id] = None


def _without_future_time(created: ObjectCreated, now: datetime) -> ObjectCreated:
    """Return what an event says without its time, where that is yet to come: it tells nothing of its age."""
    is_ahead = created.event_time is not None and created.event_time - now > _MOST_AHEAD
    return replace(created, event_time=None) if is_ahead else created
