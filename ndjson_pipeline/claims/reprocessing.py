"""Failed manifests that a person has tried again, once the cause is mended."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.store import ManifestRecordStore


@dataclass
class Retried:
    """What became of some manifests.

    Attributes:
        marked: that are tried again: the manifest sensor launches them.
        moved: that moved on meanwhile, and were left alone.
        untouched: how many have not failed.
    """

    marked: list[ManifestRecord] = field(default_factory=list)
    moved: list[ManifestRecord] = field(default_factory=list)
    untouched: int = 0


def try_again(
    store: ManifestRecordStore,
    records: Iterable[ManifestRecord],
    tell: Callable[[ManifestRecord, bool], None] = lambda _record, _is_marked: None,
) -> Retried:
    """Mark each failed one for another attempt; whatever has another status is not touched.

    Args:
        store: of the records.
        records: as they were read.
        tell: told of each that had failed, and whether it is tried again.

    Raises:
        ClientError: DynamoDB refused or failed; what is marked stays so.
    """
    retried = Retried()
    for record in records:
        if record.status is not ManifestStatus.FAILED:
            retried.untouched += 1
            continue
        is_marked = store.retry_later(record)
        (retried.marked if is_marked else retried.moved).append(record)
        tell(record, is_marked)
    return retried
