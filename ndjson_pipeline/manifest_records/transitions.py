"""How a manifest's status may move."""

from enum import Enum

from lambda_ingest.contract.records import ManifestStatus


class Move(Enum):
    """What a run does to a manifest's record."""

    CLAIM = "claim"
    RETRY = "retry"
    RECLAIM = "reclaim"
    TAKE_OVER = "take over"
    COMPLETE = "complete"
    FAIL = "fail"


# A claim takes what waits; a retry takes what failed, too; a reclaim, which a person or a backfill makes,
# takes what has ended in any way. Each raises the attempt by one. A takeover leaves the attempt and changes
# its holder, from a run that has ended to the run that was launched in its place. Nothing else moves a record
# that another attempt holds.
ALLOWED_FROM: dict[Move, frozenset[ManifestStatus]] = {
    Move.CLAIM: frozenset({ManifestStatus.PENDING}),
    Move.RETRY: frozenset({ManifestStatus.PENDING, ManifestStatus.FAILED}),
    Move.RECLAIM: frozenset({ManifestStatus.PENDING, ManifestStatus.FAILED, ManifestStatus.COMPLETED}),
    Move.TAKE_OVER: frozenset({ManifestStatus.PROCESSING}),
    Move.COMPLETE: frozenset({ManifestStatus.PROCESSING}),
    Move.FAIL: frozenset({ManifestStatus.PROCESSING}),
}

RESULT: dict[Move, ManifestStatus] = {
    Move.CLAIM: ManifestStatus.PROCESSING,
    Move.RETRY: ManifestStatus.PROCESSING,
    Move.RECLAIM: ManifestStatus.PROCESSING,
    Move.TAKE_OVER: ManifestStatus.PROCESSING,
    Move.COMPLETE: ManifestStatus.COMPLETED,
    Move.FAIL: ManifestStatus.FAILED,
}
