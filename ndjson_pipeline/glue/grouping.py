"""Which manifests go into one Glue run, where an earlier one died with them."""

import math
from collections.abc import Sequence

from ndjson_pipeline.claims.record import ManifestRecord

# A Glue run that dies names no culprit. So many smaller runs find it among 20 manifests at the second
# attempt, among 400 at the third, and cost some so many billed minutes at each.
GROUPS_AFTER_CRASH = 20


def group_size_after_crash(manifests: int) -> int:
    """Return how many manifests the next Glue runs take at most, after one of so many died; pure."""
    return max(1, math.ceil(manifests / GROUPS_AFTER_CRASH))


def groups(records: Sequence[ManifestRecord]) -> list[list[ManifestRecord]]:
    """Split manifests into Glue runs; pure.

    Those that no Glue run has died with stay together, and come first: they need not wait for suspects. The
    others follow in groups of their `group_size`, the single ones last.

    Args:
        records: what one run is to convert, in any order; the order within each group is kept.
    """
    by_size: dict[int, list[ManifestRecord]] = {}
    for record in records:
        # Zero stands for no bound here.
        by_size.setdefault(record.group_size or 0, []).append(record)
    together = by_size.pop(0, [])
    split = [together] if together else []
    for size, suspects in sorted(by_size.items(), reverse=True):
        split += [suspects[start : start + size] for start in range(0, len(suspects), size)]
    return split
