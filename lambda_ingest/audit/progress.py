"""How far an audit came: where it stands, when its time is up, and where the next sweep goes on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import RESERVED_SECONDS, RemainingSeconds
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.items import to_item
from lambda_ingest.contract.records import AUDIT_PARTITION

# Pages of folders that a sweep lists at most; each is a call.
_MOST_PAGES = 500
# A cursor saves work and holds none: without it an audit begins anew.
_CURSOR_LIFE = timedelta(days=7)
_RECENT = "recent"


class TimeIsUpError(IngestError):
    """The audit's share of a sweep is used up; the next sweep goes on."""


@dataclass(frozen=True)
class Position:
    """A place in an audit: all manifests first, then all folders, each date by date, and arrivals in the end.

    Attributes:
        part: `manifests`, `events` or `arrivals`.
        date: the date at which it stands; empty where none of the place is done.
        folder: of events, where in the folders it stands, below the input prefix.
        after: the last key that is done there; empty where none is.
    """

    part: str = "manifests"
    date: str = ""
    folder: str = ""
    after: str = ""


class Progress:
    """What one audit has done, as it happens, and whether it may go on."""

    def __init__(self, remaining_seconds: RemainingSeconds, position: Position) -> None:
        self.remaining_seconds = remaining_seconds
        self.position = position
        self._pages = 0

    def demand_time(self) -> None:
        """Go on only while there is time; asked at every page and between items.

        Raises:
            TimeIsUpError: it is up.
        """
        if self.remaining_seconds() < RESERVED_SECONDS:
            raise TimeIsUpError("the time of this sweep is up")

    def demand_page(self) -> None:
        """Go on to another page of folders only while the sweep may list more.

        Raises:
            TimeIsUpError: the time is up, or there were many pages.
        """
        self.demand_time()
        if self._pages == _MOST_PAGES:
            raise TimeIsUpError(f"this sweep has listed {_MOST_PAGES} pages of folders")
        self._pages += 1


class AuditCursors:
    """Keeps where audits stopped, in the tracking table: an item for recent dates, one a choice of others.

    Its partition is no date, so whoever reads a date, or an index, never meets it.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, dates: Sequence[str], *, are_recent: bool) -> Position:
        """Return where the audit of these dates goes on; the beginning where nothing is kept."""
        item = self._table.read(AUDIT_PARTITION, _key(dates, are_recent))
        fields = {name: (item or {}).get(name) for name in asdict(Position())}
        if not all(isinstance(value, str) for value in fields.values()):
            return Position()
        return Position(**{name: str(value) for name, value in fields.items()})

    def keep(self, dates: Sequence[str], position: Position, *, are_recent: bool) -> None:
        """Keep where the audit stopped."""
        now = self._table.clock()
        self._table.dynamodb.put_item(
            TableName=self._table.name,
            Item=to_item(
                {
                    "date_prefix": AUDIT_PARTITION,
                    "file_key": _key(dates, are_recent),
                    **asdict(position),
                    "updated_at": utc_timestamp(now),
                    "ttl": int((now + _CURSOR_LIFE).timestamp()),
                }
            ),
        )
        logger.info("The audit goes on with the next sweep", **asdict(position))

    def forget(self, dates: Sequence[str], *, are_recent: bool) -> None:
        """Forget it: the audit came to its end, and the next begins anew."""
        self._table.dynamodb.delete_item(
            TableName=self._table.name,
            Key=to_item({"date_prefix": AUDIT_PARTITION, "file_key": _key(dates, are_recent)}),
        )


def _key(dates: Sequence[str], are_recent: bool) -> str:
    # Which dates are recent changes at midnight, and the audit goes on all the same.
    return _RECENT if are_recent else ",".join(dates)
