"""The Lambda behind the timer: sweeps up what no event will finish any more.

The flush costs what is open. The audit costs the listing of a few recent dates, so a deployment may flush
every few minutes with `{"audit": false}`, and audit more rarely.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.errors import IngestError
from lambda_ingest.invocation import Invocation
from lambda_ingest.log import logger
from lambda_ingest.report import ExecutionInfo
from lambda_ingest.runtime import Runtime, current_runtime
from lambda_ingest.sweep.listing import DateListings
from lambda_ingest.sweep.lost_events import LostEvents
from lambda_ingest.sweep.open_dates import OpenDates, flush_open_dates
from lambda_ingest.sweep.request import SweepRequest
from lambda_ingest.sweep.unreferenced import UnreferencedManifests

Result = TypeVar("Result")


@logger.inject_lambda_context(clear_state=True)
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Sweep once.

    Args:
        event: `{"audit": false}` leaves the listings out, `{"dates": ["2026-01-30"]}` audits these dates in
            place of the recent ones; whatever else it holds counts for nothing.
        context: the invocation's.

    Returns:
        What each part did: `open_dates`, `flushed` {date: files}, `finished` [manifests], `left` [past dates
        with pending files], `oldest_pending_age_seconds`, `audited` [dates], `events_resent` {date: files},
        `events_undecidable` {date: files}, `events_incomplete` [dates], `manifests_removed` [keys], `failed`
        [parts].

    Raises:
        SettingsError: the environment variables are missing or wrong.
        SweepEventError: the event's dates make no sense; nothing was done.
    """
    return sweep(event, context, current_runtime(os.environ))


def sweep(event: Mapping[str, Any], context: LambdaContext, runtime: Runtime) -> dict[str, Any]:
    """Do what `handler` does, with the parts passed in."""
    started = time.perf_counter()
    invocation = Invocation(runtime, lambda: context.get_remaining_time_in_millis() / 1000)
    now = runtime.clock()
    request = SweepRequest.parse(event, runtime.settings, now)
    failed: list[str] = []
    flush = _part(invocation, failed, "flush", lambda: flush_open_dates(invocation, now)) or OpenDates()
    answer: dict[str, Any] = {
        "open_dates": flush.dates,
        "flushed": flush.flushed,
        "finished": flush.finished,
        "left": flush.left,
        "oldest_pending_age_seconds": float(flush.oldest_pending_age_seconds),
        "audited": list(request.dates),
        "events_resent": {},
        "events_undecidable": {},
        "events_incomplete": [],
        "manifests_removed": [],
        "failed": failed,
    }
    if request.dates:
        _audit(invocation, request.dates, now, failed, answer)
    invocation.metrics["oldest_pending_age_seconds"] = flush.oldest_pending_age_seconds
    invocation.record(
        lambda: ExecutionInfo(
            request_id=context.aws_request_id,
            function_name=context.function_name,
            memory_limit_mb=int(context.memory_limit_in_mb),
            execution_time_ms=round((time.perf_counter() - started) * 1000),
        )
    )
    logger.info("Swept", **answer)
    return answer


def _audit(
    invocation: Invocation,
    dates: Sequence[str],
    now: datetime,
    failed: list[str],
    answer: dict[str, Any],
) -> None:
    """Compare the dates' listings with their records."""
    runtime, settings = invocation.runtime, invocation.runtime.settings
    listings = DateListings(runtime.clients.dynamodb, runtime.clients.s3, table=settings.tracking_table)
    unreferenced = UnreferencedManifests(
        listings, runtime.clients.s3, bucket=settings.manifest_bucket, ttl_days=settings.ttl_days
    )
    for date_prefix in dates:
        removed = _part(
            invocation,
            failed,
            f"manifests of {date_prefix}",
            partial(unreferenced.remove, date_prefix, now),
        )
        answer["manifests_removed"] += removed.keys if removed else ()
    if settings.input_bucket is None or settings.queue_url is None:
        logger.info("No search for lost events: it needs INPUT_BUCKET and QUEUE_URL")
        return
    lost = LostEvents(
        listings,
        runtime.clients.sqs,
        bucket=settings.input_bucket,
        queue_url=settings.queue_url,
        input_prefix=settings.input_prefix,
        ttl_days=settings.ttl_days,
    )
    for date_prefix in dates:
        resent = _part(
            invocation,
            failed,
            f"events of {date_prefix}",
            partial(lost.resend, date_prefix, now, invocation.remaining_seconds),
        )
        if resent is None:
            continue
        if resent.files:
            answer["events_resent"][date_prefix] = resent.files
        if resent.undecidable:
            answer["events_undecidable"][date_prefix] = resent.undecidable
        if not resent.is_complete:
            answer["events_incomplete"].append(date_prefix)


def _part(invocation: Invocation, failed: list[str], name: str, work: Callable[[], Result]) -> Result | None:
    """Run one part; its failure is noted and leaves the others alone."""
    try:
        return work()
    except (BotoCoreError, ClientError, IngestError) as error:
        logger.exception("A part of the sweep failed; the next sweep does it again", part=name)
        invocation.result.add_error(type(error).__name__, name, str(error))
        failed.append(name)
        return None
