"""How a manifest's status may move."""

from enum import Enum

from lambda_ingest.contract.records import ManifestStatus


class Move(Enum):
    """What a run does to a manifest's record."""

    CLAIM = "claim"
    RECLAIM = "reclaim"
    COMPLETE = "complete"
    FAIL = "fail"


# A claim takes what waits; a reclaim, which only an explicit retry or backfill makes, takes what has ended
# too. Either raises the attempt by one. Nothing moves a record that another attempt holds.
ALLOWED_FROM: dict[Move, frozenset[ManifestStatus]] = {
    Move.CLAIM: frozenset({ManifestStatus.PENDING}),
    Move.RECLAIM: frozenset({ManifestStatus.PENDING, ManifestStatus.FAILED, ManifestStatus.COMPLETED}),
    Move.COMPLETE: frozenset({ManifestStatus.PROCESSING}),
    Move.FAIL: frozenset({ManifestStatus.PROCESSING}),
}

RESULT: dict[Move, ManifestStatus] = {
    Move.CLAIM: ManifestStatus.PROCESSING,
    Move.RECLAIM: ManifestStatus.PROCESSING,
    Move.COMPLETE: ManifestStatus.COMPLETED,
    Move.FAIL: ManifestStatus.FAILED,
}
