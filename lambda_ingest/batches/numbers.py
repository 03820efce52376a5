"""The numbers of a date's manifests: which is the newest, and which the next takes.

Records are read from the highest number down. One at the very end of the range with a gap below it is stray:
a person's, or another tool's. It must not use up the date's counter, so the numbers go on above the real
ones: 1, 2, 3 and a stray 999,999 give 4.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.commitment import records_may_be_gone
from lambda_ingest.contract.errors import ManifestKeyError
from lambda_ingest.contract.items import Item, from_item, to_item
from lambda_ingest.contract.keys import LAST_SEQUENCE, MANIFEST_PREFIX, ManifestName, s3_uri
from lambda_ingest.contract.records import MANIFEST_FILE_KEY_PREFIX, MANIFEST_SHA256_ATTRIBUTE
from lambda_ingest.contract.rows import instant_of, text_of

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# Numbers from here on are believed only where those below them are used, too.
END_OF_NUMBERS = LAST_SEQUENCE - 999
# Of records of other shapes among a date's manifests; the first look is for one row.
_ROWS_A_PAGE = 100
# Rows of the end of the range that are read at most: each of its numbers twice.
_MOST_ROWS_AT_THE_END = 2_000


@dataclass(frozen=True)
class NewestManifest:
    """The newest committed manifest of a date, or another one whose files may not be marked.

    Attributes:
        name: its name.
        uri: its object.
        files_marked: whether every file it lists bears its mark.
        created_at: when it was committed, aware; None where its record does not say.
        sha256: of its object's bytes, in hex; None where its record does not say.
    """

    name: ManifestName
    uri: str
    files_marked: bool
    created_at: datetime | None
    sha256: str | None


@dataclass(frozen=True)
class Numbers:
    """What a date's manifest records say.

    Attributes:
        newest: the newest that is real; None before the first.
        at_the_end: numbers at the end of the range that are used.
        unmarked: records at the end of the range whose files are not all marked, newest first.
    """

    newest: NewestManifest | None
    at_the_end: frozenset[int] = frozenset()
    unmarked: tuple[NewestManifest, ...] = ()

    @property
    def owing(self) -> tuple[NewestManifest, ...]:
        """The manifests whose files have to be marked before another batch is chosen."""
        newest = self.newest
        first = () if newest is None or newest.files_marked else (newest,)
        return first + tuple(each for each in self.unmarked if each != newest)


class ManifestNumbers:
    """Reads the numbers of dates."""

    def __init__(self, table: Table, s3: "S3Client", *, bucket: str) -> None:
        self._table = table
        self._s3 = s3
        self._bucket = bucket

    def read(self, date_prefix: str) -> Numbers:
        """Return a date's numbers by strong reads; one call, but where the end of the range is used.

        Raises:
            ClientError: DynamoDB refused or failed.
        """
        newest = next(self._records(date_prefix, first_rows=1), None)
        if newest is None or newest.name.sequence < END_OF_NUMBERS:
            return Numbers(newest)
        at_the_end = []
        for record in self._records(date_prefix, first=END_OF_NUMBERS):
            at_the_end.append(record)
            if len(at_the_end) == _MOST_ROWS_AT_THE_END:
                break
        below = next(self._records(date_prefix, last=END_OF_NUMBERS - 1, first_rows=1), None)
        by_number = {record.name.sequence: record for record in reversed(at_the_end)}
        number = last_of(below.name.sequence if below else 0, by_number)
        if number < max(by_number):
            logger.warning(
                "Manifest records at the end of the numbers are stray; they are passed over",
                date_prefix=date_prefix,
                stray=[record.name.filename for record in at_the_end if record.name.sequence > number][:10],
            )
        return Numbers(
            newest=by_number.get(number, below),
            at_the_end=frozenset(by_number),
            unmarked=tuple(record for record in at_the_end if not record.files_marked),
        )

    def last(self, date_prefix: str, numbers: Numbers) -> int:
        """Return the highest number that a date has used; the next manifest's is one higher.

        The records of an old date may have expired, and a number must not be given twice: there the objects
        are asked, too, from the newest record's on.

        Raises:
            ClientError: S3 refused or failed.
        """
        number = 0 if numbers.newest is None else numbers.newest.name.sequence
        if not records_may_be_gone(date_prefix, self._table.ttl, self._table.clock()):
            return number
        folder = f"{MANIFEST_PREFIX}{date_prefix}/"
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=folder, StartAfter=ManifestName(date_prefix, number, "f" * 8).key
        )
        found: set[int] = set()
        for page in pages:
            for entry in page.get("Contents", []):
                try:
                    name = ManifestName.parse(entry["Key"].removeprefix(folder))
                except ManifestKeyError:
                    # Another tool's object; it takes no number.
                    continue
                if name.date_prefix == date_prefix:
                    found.add(name.sequence)
        below_the_end = max((each for each in found if each < END_OF_NUMBERS), default=0)
        return last_of(max(number, below_the_end), found | numbers.at_the_end)

    def _records(
        self,
        date_prefix: str,
        *,
        first: int = 0,
        last: int | None = None,
        first_rows: int = _ROWS_A_PAGE,
    ) -> Iterator[NewestManifest]:
        """Yield the records of some numbers, the highest first, strongly read; name others in a warning."""
        begin = f"{MANIFEST_FILE_KEY_PREFIX}manifest-{date_prefix}-batch-"
        # What follows a number is a hyphen and hex digits, and `.` follows the hyphen.
        end = f"{MANIFEST_FILE_KEY_PREFIX}manifest-\U0010ffff" if last is None else f"{begin}{last:06d}."
        request: dict[str, Any] = {"Limit": first_rows}
        while True:
            response = self._table.dynamodb.query(
                TableName=self._table.name,
                KeyConditionExpression="date_prefix = :date AND file_key BETWEEN :first AND :last",
                ExpressionAttributeValues=to_item(
                    {":date": date_prefix, ":first": f"{begin}{first:06d}", ":last": end}
                ),
                ConsistentRead=True,
                ScanIndexForward=False,
                **request,
            )
            for raw in response["Items"]:
                record = self._record(from_item(raw), date_prefix)
                if record is not None:
                    yield record
            if "LastEvaluatedKey" not in response:
                return
            request = {"Limit": _ROWS_A_PAGE, "ExclusiveStartKey": response["LastEvaluatedKey"]}

    def _record(self, item: Item, date_prefix: str) -> NewestManifest | None:
        try:
            name = ManifestName.parse(item["file_key"].removeprefix(MANIFEST_FILE_KEY_PREFIX))
        except ManifestKeyError as error:
            logger.warning(
                "Skipped a manifest record of another shape", date_prefix=date_prefix, reason=str(error)
            )
            return None
        if name.date_prefix != date_prefix:
            logger.warning(
                "Skipped a manifest record of another date", date_prefix=date_prefix, name=name.filename
            )
            return None
        sha256 = text_of(item, MANIFEST_SHA256_ATTRIBUTE)
        # A record without mark or digest was written by another tool, which owes its files nothing here.
        is_marked = item.get("files_marked", True) is not False or sha256 is None
        return NewestManifest(
            name=name,
            uri=s3_uri(self._bucket, name.key),
            files_marked=is_marked,
            created_at=instant_of(item, "created_at"),
            sha256=sha256,
        )


def last_of(number: int, others: Iterable[int]) -> int:
    """Return the highest number that follows on from one without a gap, within the end of the range; pure.

    Below the end, a number is believed whatever lies between.

    Args:
        number: the highest below the end.
        others: further numbers that are used.
    """
    used = set(others)
    while number + 1 in used:
        number += 1
    return number
