"""What follows the failure of an attempt: another one by itself, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

# How long another attempt waits after the first failure, the second, and so on; after all others as the last.
# A lost worker, or a place that was taken, is gone within a minute. An outage, or a permission that somebody
# has to give, lasts longer, and each try of it alerts. The last bounds how long work waits after the mend.
RETRY_WAITS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=25), timedelta(hours=1))
# A manifest that crashes this often is left failed, for a person to look at.
MAX_CRASHES = 3


class FailureKind(Enum):
    """Why an attempt failed, as far as it matters to what follows."""

    FINAL = "by its data, by a person's stop or by the deadline: another attempt would end the same"
    CRASHED = "it died before it could tell"
    NOT_STARTED = "Glue did not take it: nothing was tried"


@dataclass(frozen=True)
class NextTry:
    """What a failure leaves on the record.

    Attributes:
        retry_at: when another attempt may follow by itself; None where none does.
        crashes: how often an attempt crashed, since a person last had a hand in it.
        refused_starts: how often Glue did not take it, since then.
    """

    retry_at: datetime | None
    crashes: int
    refused_starts: int


def next_try(
    kind: FailureKind,
    *,
    crashes: int,
    refused_starts: int,
    is_alone: bool,
    now: datetime,
    waits: Sequence[timedelta] = RETRY_WAITS,
) -> NextTry:
    """Decide; pure.

    A start that Glue refused costs no attempt. A crash in company counts, but proves nothing against any one
    manifest, so that another attempt always follows it, in a smaller company: that ends, for each is smaller
    than the last.

    Args:
        kind: why the attempt failed.
        crashes: of earlier attempts.
        refused_starts: of earlier attempts.
        is_alone: whether the manifest was alone in what crashed.
        now: the present instant.
        waits: after the first failure, the second, and so on; not empty.
    """
    crashes += kind is FailureKind.CRASHED
    refused_starts += kind is FailureKind.NOT_STARTED
    is_proven = is_alone and crashes >= MAX_CRASHES
    if kind is FailureKind.FINAL or (kind is FailureKind.CRASHED and is_proven):
        return NextTry(None, crashes, refused_starts)
    return NextTry(now + retry_wait(crashes + refused_starts, waits), crashes, refused_starts)


def retry_wait(failures: int, waits: Sequence[timedelta] = RETRY_WAITS) -> timedelta:
    """Return how long another attempt waits after so many failures in a row, at least one; pure."""
    return waits[min(failures, len(waits)) - 1]
