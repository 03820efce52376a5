"""How a run may take a manifest's record."""

from enum import Enum

from lambda_ingest.contract.records import ManifestStatus


class Move(Enum):
    """How a run takes a manifest's record."""

    CLAIM = "claim"
    RETRY = "retry"
    RECLAIM = "reclaim"
    TAKE_OVER = "take over"


# A claim takes what waits; a retry takes what failed, too; a reclaim, which a person or a backfill makes,
# takes what has ended in any way. Each raises the attempt by one. A takeover leaves the attempt and changes
# its holder, from a run that has ended to the run that was launched in its place. Nothing else moves a record
# that another attempt holds.
ALLOWED_FROM: dict[Move, frozenset[ManifestStatus]] = {
    Move.CLAIM: frozenset({ManifestStatus.PENDING}),
    Move.RETRY: frozenset({ManifestStatus.PENDING, ManifestStatus.FAILED}),
    Move.RECLAIM: frozenset({ManifestStatus.PENDING, ManifestStatus.FAILED, ManifestStatus.COMPLETED}),
    Move.TAKE_OVER: frozenset({ManifestStatus.PROCESSING}),
}
