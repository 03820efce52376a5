"""Quarantine: a refused file is recorded, then copied, then removed; a crash at any point loses nothing.

A copy that takes longer than the invocation has is left to the sweeper. A crash leaves the file in its place,
or in both, never in none, and the redelivery finishes.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import RESERVED_SECONDS, Patience, Refusal, RemainingSeconds
from lambda_ingest.contract.validation import RefusedFile
from lambda_ingest.files.copies import CopyTimeError, QuarantineCopies, seconds_for
from lambda_ingest.files.file_records import RecordContentionError
from lambda_ingest.files.moves import QuarantineMoves
from lambda_ingest.files.refused_records import Refused, RefusedRecords
from lambda_ingest.files.removal import remove_source
from lambda_ingest.files.tracking import Tracked, TrackingOutcome

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class Quarantined:
    """What became of a refused file.

    Attributes:
        refused: the file and the reason.
        tracked: its record's outcome, or None where the object was gone.
        moved: whether it lies in the quarantine bucket now.
    """

    refused: RefusedFile
    tracked: Tracked | None
    moved: bool


class Quarantine:
    """Moves refused files out of the producers' way."""

    def __init__(
        self,
        s3: "S3Client",
        records: RefusedRecords,
        copies: QuarantineCopies | None,
        moves: QuarantineMoves | None,
        patience: Patience,
    ) -> None:
        self._s3 = s3
        self._records = records
        self._copies = copies
        self._moves = moves
        self._patience = patience

    def take(self, refused: RefusedFile, remaining_seconds: RemainingSeconds) -> Quarantined | Tracked:
        """Quarantine one file; without a bucket, record it only.

        Returns:
            What became of it; the outcome alone, where there is nothing more to count: its object holds
            what is accepted, or its batch stands, or all was done by an earlier delivery.

        Raises:
            ClientError: S3 or DynamoDB refused or failed; doing it again goes on where it stopped.
            IngestError: one of several that name the file; so it is then.
        """
        waits = self._patience.waits(remaining_seconds)
        while True:
            recorded = self._records.record(refused, remaining_seconds)
            if recorded is None:
                logger.info("A refused object was gone", uri=refused.object.uri)
                return Quarantined(refused, None, moved=False)
            if isinstance(recorded, Tracked):
                return recorded
            moved = self._move(recorded, remaining_seconds)
            if moved is not None:
                is_news = moved or recorded.tracked.outcome is not TrackingOutcome.DUPLICATE
                return Quarantined(recorded.file, recorded.tracked, moved) if is_news else recorded.tracked
            logger.info("A refused object changed before it was copied", uri=refused.object.uri)
            # The newer content's event may have met the record of the former one, so it is judged here, too.
            if not waits.again(Refusal.CONTENDED):
                raise RecordContentionError(f"{refused.object.uri} changed at each look, {waits}")

    def _move(self, recorded: Refused, remaining_seconds: RemainingSeconds) -> bool | None:
        """Move an object, and tell whether it lies in quarantine now; None where it has other content."""
        file = recorded.file
        if self._copies is None or self._moves is None:
            return False
        if seconds_for(file.object.size_bytes) > remaining_seconds() - RESERVED_SECONDS:
            self._moves.leave(file)
            return False
        try:
            key = self._copies.copy(file.object, file.reason, remaining_seconds)
        except CopyTimeError:
            self._moves.leave(file)
            return False
        if key is None:
            return None
        if key != file.object.key:
            logger.warning(
                "Another object lies in quarantine under this key; the copy lies beside it",
                uri=file.object.uri,
                quarantine_key=key,
            )
        remove_source(self._s3, file.object)
        return True
