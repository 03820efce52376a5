"""The Lambda behind the timer: sweeps up what no event will finish any more.

The flush costs what is open. The audit costs the listing of a few recent dates, so a deployment may flush
every few minutes with `{"audit": false}`, and audit more rarely.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.audit.dates import audited_dates
from lambda_ingest.audit.folders import InputFolders
from lambda_ingest.audit.lost_events import LostEvents
from lambda_ingest.audit.progress import AuditCursors, Position, Progress, TimeIsUpError
from lambda_ingest.audit.unreferenced import UnreferencedManifests
from lambda_ingest.aws.log import logger
from lambda_ingest.batches.planning import is_past
from lambda_ingest.contract.dates import parse_utc_timestamp, utc_date
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.settings import DateSource
from lambda_ingest.files.loaded import LoadedUnknownError
from lambda_ingest.files.moves import Moved
from lambda_ingest.invocation import Invocation
from lambda_ingest.runtime import Runtime, current_runtime

Result = TypeVar("Result")

# What is looked for folder by folder.
_FOLDER_DATES = frozenset({DateSource.NAME, DateSource.PATH})


@dataclass
class OpenDates:
    """What became of the dates that had pending files.

    Attributes:
        dates: all of them.
        flushed: how many files went into manifests, by date.
        finished: manifests whose marks were finished.
        left: past dates that keep pending files: too few for the setting, cut too lately, or out of time.
        oldest_pending_age_seconds: of the file that waited longest when the sweep began.
    """

    dates: list[str] = field(default_factory=list)
    flushed: dict[str, int] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    oldest_pending_age_seconds: Decimal = Decimal(0)


@logger.inject_lambda_context(clear_state=True)
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Sweep once.

    Args:
        event: `{"audit": false}` leaves the listings out, `{"dates": ["2026-01-30"]}` audits these dates in
            place of the recent ones; whatever else it holds counts for nothing.
        context: the invocation's.

    Returns:
        What each part did: `open_dates`, `flushed` {date: files}, `finished` [manifests], `left` [past dates
        with pending files], `oldest_pending_age_seconds`, `oldest_waiting_manifest_age_seconds` (null where
        it could not be read), `quarantine_moved`, `quarantine_left`, `quarantine_stay` [URIs of large refused
        files: moved, for the next sweep, too large], `refusals_alerted`, `audited` [dates],
        `events_resent` {date: files}, `events_incomplete` [dates that the time did not reach; the next sweep
        goes on], `manifests_removed` [keys], `failed` [parts].

    Raises:
        SettingsError: the environment variables are missing or wrong.
        SweepEventError: the event's dates make no sense; nothing was done.
    """
    return sweep(event, context, current_runtime(os.environ))


def sweep(event: Mapping[str, Any], context: LambdaContext, runtime: Runtime) -> dict[str, Any]:
    """Do what `handler` does, with the parts passed in."""
    invocation = Invocation(runtime, context)
    now, whole_seconds = runtime.clock(), invocation.remaining_seconds()
    dates = audited_dates(event, runtime.settings, now)
    failed: list[str] = []
    flushed = _part(invocation, failed, "flush", lambda: _flush_open_dates(invocation, now))
    flush = flushed or OpenDates()
    invocation.tell_overwritten()
    waited = _part(invocation, failed, "waiting manifests", lambda: runtime.waiting.oldest_age(now))
    moved = Moved()
    _part(invocation, failed, "quarantine", lambda: _move_refused(invocation, moved, whole_seconds))
    alerted = _part(invocation, failed, "refusals", invocation.runtime.refusals.publish_due)
    answer: dict[str, Any] = {
        "open_dates": flush.dates,
        "flushed": flush.flushed,
        "finished": flush.finished,
        "left": flush.left,
        "oldest_pending_age_seconds": float(flush.oldest_pending_age_seconds),
        "oldest_waiting_manifest_age_seconds": None if waited is None else waited.total_seconds(),
        "quarantine_moved": moved.moved,
        "quarantine_left": moved.left,
        "quarantine_stay": moved.stay,
        "refusals_alerted": bool(alerted),
        "audited": list(dates),
        "events_resent": {},
        "events_incomplete": [],
        "manifests_removed": [],
        "failed": failed,
    }
    # What could not be read is not told: a 0 would say that all is well, and silence is alarmed.
    if flushed is not None:
        invocation.metrics["oldest_pending_age_seconds"] = flush.oldest_pending_age_seconds
    if waited is not None:
        invocation.metrics["oldest_waiting_manifest_age_seconds"] = Decimal(str(waited.total_seconds()))
    invocation.record()
    if dates:
        _audit(invocation, dates, now, failed, answer, are_recent="dates" not in event)
    logger.info("Swept", **answer)
    return answer


def _flush_open_dates(invocation: Invocation, now: datetime) -> OpenDates:
    """Cut every date with pending files; a date that fails harms no other."""
    result = OpenDates()
    open_dates = invocation.runtime.pending.open_dates()
    if open_dates:
        age = now - parse_utc_timestamp(min(open_dates.values()))
        result.oldest_pending_age_seconds = Decimal(str(max(age.total_seconds(), 0.0)))
    for date_prefix in open_dates:
        result.dates.append(date_prefix)
        cuts = invocation.cut_date(date_prefix, invocation.runtime.cutter.cut_and_finish)
        count = sum(manifest.file_count for manifest in cuts.manifests)
        if cuts.finished is not None:
            result.finished.append(cuts.finished)
        past = is_past(date_prefix, utc_date(now))
        if count:
            result.flushed[date_prefix] = count
            logger.info(
                "Flushed a date",
                date_prefix=date_prefix,
                file_count=count,
                is_past=past,
                manifests=[manifest.manifest_path for manifest in cuts.manifests],
            )
        if past and cuts.waits:
            result.left.append(date_prefix)
            logger.info("A past date was cut lately; its rest waits", date_prefix=date_prefix)
        elif past and not count and cuts.finished is None:
            result.left.append(date_prefix)
            logger.warning("A past date keeps pending files", date_prefix=date_prefix)
    return result


def _move_refused(invocation: Invocation, moved: Moved, whole_seconds: float) -> None:
    """Move the refused files that the builder left, as many as the time allows; each fails alone."""
    moves = invocation.runtime.moves
    if moves is None:
        return
    moves.work(moved, invocation.remaining_seconds, whole_seconds)
    for uri, error in moved.failed:
        invocation.result.add_error(type(error).__name__, uri, str(error))


def _audit(
    invocation: Invocation,
    dates: Sequence[str],
    now: datetime,
    failed: list[str],
    answer: dict[str, Any],
    *,
    are_recent: bool,
) -> None:
    """Compare the dates' listings with their records, from where the last sweep's time ended.

    Comes after the report and the metrics, for it takes whatever time is left.
    """
    cursors = AuditCursors(invocation.runtime.table)
    start = _part(invocation, failed, "audit cursor", lambda: cursors.read(dates, are_recent=are_recent))
    progress = Progress(invocation.remaining_seconds, start or Position())
    resent: Counter[str] = Counter()
    try:
        _audit_manifests(invocation, dates, now, progress, failed, answer["manifests_removed"])
        _audit_events(invocation, dates, now, progress, failed, resent)
    except (TimeIsUpError, LoadedUnknownError) as error:
        logger.warning("The audit stopped", reason=str(error), position=asdict(progress.position))
        answer["events_incomplete"] += dates
        position = progress.position
        _part(
            invocation,
            failed,
            "audit cursor",
            lambda: cursors.keep(dates, position, are_recent=are_recent),
        )
    else:
        if start is not None and start != Position():
            _part(invocation, failed, "audit cursor", lambda: cursors.forget(dates, are_recent=are_recent))
    answer["events_resent"] |= dict(resent)
    for date_prefix, count in resent.items():
        logger.warning("Sent lost events again", date_prefix=date_prefix, file_count=count)


def _audit_manifests(
    invocation: Invocation,
    dates: Sequence[str],
    now: datetime,
    progress: Progress,
    failed: list[str],
    removed: list[str],
) -> None:
    runtime = invocation.runtime
    unreferenced = UnreferencedManifests(
        runtime.table, runtime.clients.s3, runtime.loaded, bucket=runtime.settings.manifest_bucket
    )
    if progress.position.part != "manifests":
        return
    for date_prefix in _from(dates, progress.position.date):
        if progress.position.date != date_prefix:
            progress.position = Position("manifests", date_prefix)
        _part(
            invocation,
            failed,
            f"manifests of {date_prefix}",
            partial(unreferenced.remove, date_prefix, now, progress, removed),
        )
    progress.position = Position("events")


def _audit_events(
    invocation: Invocation,
    dates: Sequence[str],
    now: datetime,
    progress: Progress,
    failed: list[str],
    resent: Counter[str],
) -> None:
    runtime, settings = invocation.runtime, invocation.runtime.settings
    if settings.input_bucket is None or settings.queue_url is None:
        logger.info("No search for lost events: it needs INPUT_BUCKET and QUEUE_URL")
        return
    lost = LostEvents(
        runtime.table,
        runtime.clients.s3,
        runtime.clients.sqs,
        runtime.loaded,
        runtime.arrivals,
        runtime.patience,
        bucket=settings.input_bucket,
        queue_url=settings.queue_url,
        settings=settings,
    )
    folders = InputFolders(
        runtime.clients.s3,
        bucket=settings.input_bucket,
        input_prefix=settings.input_prefix,
        date_sources=settings.date_sources,
    )

    def search() -> None:
        for folder in folders.walk(dates, progress):
            place = progress.position
            first = place.date if place.folder == folder else ""
            for date_prefix in _from(lost.audited_dates(folder, dates), first):
                if date_prefix != first:
                    progress.position = Position("events", date_prefix, folder)
                _part(
                    invocation,
                    failed,
                    f"events of {date_prefix}",
                    partial(lost.resend, folder, date_prefix, now, progress, resent),
                )

    if progress.position.part == "events" and _FOLDER_DATES & set(settings.date_sources):
        _part(invocation, failed, "folders of the input", search)
    if DateSource.ARRIVAL in settings.date_sources:
        if progress.position.part != "arrivals":
            progress.position = Position("arrivals")
        _part(
            invocation,
            failed,
            "events of files without a date",
            partial(lost.resend_arrivals, dates, now, progress, resent),
        )


def _from(dates: Sequence[str], first: str) -> Sequence[str]:
    """Return the dates from one on; all where it is none of them, as after a midnight."""
    return dates[dates.index(first) :] if first in dates else dates


def _part(invocation: Invocation, failed: list[str], name: str, work: Callable[[], Result]) -> Result | None:
    """Run one part; its failure is noted and leaves the others alone, but for the end of the time."""
    try:
        return work()
    except (TimeIsUpError, LoadedUnknownError):
        raise
    except (BotoCoreError, ClientError, IngestError) as error:
        logger.exception("A part of the sweep failed; the next sweep does it again", part=name)
        invocation.result.add_error(type(error).__name__, name, str(error))
        if name not in failed:
            failed.append(name)
        return None
