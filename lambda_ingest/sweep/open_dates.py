"""Open dates: what is due of each is cut, and what a dead builder left is finished."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from lambda_ingest.contract.dates import parse_utc_timestamp, utc_date
from lambda_ingest.invocation import Invocation
from lambda_ingest.log import logger
from lambda_ingest.planning import is_past


@dataclass
class OpenDates:
    """What became of the dates that had pending files.

    Attributes:
        dates: all of them.
        flushed: how many files went into manifests, by date.
        finished: manifests whose marks were finished.
        left: past dates that keep pending files, too few for the setting, or out of time.
        oldest_pending_age_seconds: of the file that waited longest when the sweep began.
    """

    dates: list[str] = field(default_factory=list)
    flushed: dict[str, int] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    oldest_pending_age_seconds: Decimal = Decimal(0)


def flush_open_dates(invocation: Invocation, now: datetime) -> OpenDates:
    """Build every date with pending files; a date that fails harms no other."""
    result = OpenDates()
    open_dates = invocation.runtime.pending.open_dates()
    if open_dates:
        age = now - parse_utc_timestamp(min(open_dates.values()))
        result.oldest_pending_age_seconds = Decimal(str(max(age.total_seconds(), 0.0)))
    for date_prefix in open_dates:
        result.dates.append(date_prefix)
        build = invocation.build_date(date_prefix, invocation.runtime.builder.finish)
        count = sum(manifest.file_count for manifest in build.manifests)
        if build.finished is not None:
            result.finished.append(build.finished)
        past = is_past(date_prefix, utc_date(now))
        if count:
            result.flushed[date_prefix] = count
            logger.info(
                "Flushed a date",
                date_prefix=date_prefix,
                file_count=count,
                is_past=past,
                manifests=[manifest.manifest_path for manifest in build.manifests],
            )
        elif past and build.finished is None:
            result.left.append(date_prefix)
            logger.warning("A past date keeps pending files", date_prefix=date_prefix)
    return result
