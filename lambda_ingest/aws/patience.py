"""Patience: how often, and how long apart, refused work is tried again within the time of an invocation.

Throttling ends with time, so it is waited for as long as there is some. Contention ends within milliseconds,
or the other side does the work; so it is tried a few times, close together. Pauses have full jitter: of many
that were refused at once, no two come back together.
https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from lambda_ingest.contract.items import cancellation_reasons, error_code

# What is kept back of the Lambda's time for a manifest that was begun, the release and the report.
RESERVED_SECONDS = 10.0

RemainingSeconds = Callable[[], float]
Sleep = Callable[[float], None]

# A transaction's cancellation has codes of its own beside those of single calls.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
_THROTTLING = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ThrottlingError",
        "ThrottlingException",
    }
)
_CONTENTION = frozenset(
    {"TransactionConflict", "TransactionConflictException", "TransactionInProgressException"}
)


class Refusal(Enum):
    """Why AWS did not do what may be asked again."""

    THROTTLED = "throttled"
    CONTENDED = "contended"


@dataclass(frozen=True)
class _Pauses:
    """How long apart one kind of refusal is tried again, and how often; None is bounded by time alone."""

    first_seconds: float
    longest_seconds: float
    most: int | None


_PAUSES = {
    Refusal.THROTTLED: _Pauses(0.1, 5.0, None),
    Refusal.CONTENDED: _Pauses(0.02, 0.5, 10),
}


def refusal_of(error: Exception) -> Refusal | None:
    """Tell throttling and contention from what no wait mends; a transaction's reasons count, not its code.

    A condition that failed is neither: what that means is its sender's to know.
    """
    codes = {str(reason.get("Code")) for reason in cancellation_reasons(error) or ()} or {error_code(error)}
    if codes & _THROTTLING:
        return Refusal.THROTTLED
    return Refusal.CONTENDED if codes & _CONTENTION else None


class Waits:
    """The waits of one piece of work.

    Attributes:
        tried: how often it was refused.
        waited_seconds: how long it waited so far.
    """

    def __init__(
        self,
        remaining_seconds: RemainingSeconds,
        *,
        sleep: Sleep,
        draw: random.Random,
        reserved_seconds: float,
        most_seconds: float,
    ) -> None:
        self._remaining_seconds = remaining_seconds
        self._reserved_seconds = reserved_seconds
        self._sleep = sleep
        self._draw = draw
        self._most_seconds = most_seconds
        # Its own pauses count against the time, too; counted from the first refusal on.
        self._left: float | None = None
        self._of_kind: dict[Refusal, int] = {}
        self.waited_seconds = 0.0

    @property
    def tried(self) -> int:
        """How often the work was refused."""
        return sum(self._of_kind.values())

    def again(self, refusal: Refusal) -> bool:
        """Pause and return True, or return False where neither time nor tries are left."""
        tried = self._of_kind.get(refusal, 0)
        self._of_kind[refusal] = tried + 1
        pauses = _PAUSES[refusal]
        if pauses.most is not None and tried + 1 >= pauses.most:
            return False
        longest = min(pauses.longest_seconds, pauses.first_seconds * 2 ** min(tried, 30))
        pause = self._draw.uniform(0.0, longest)
        left = self._remaining_seconds() - self._reserved_seconds
        if self._left is None:
            self._left = min(left, self._most_seconds)
        if pause > min(self._left, left):
            return False
        self._sleep(pause)
        self._left -= pause
        self.waited_seconds += pause
        return True

    def __str__(self) -> str:
        return f"{self.tried} times within {self.waited_seconds:.1f} s"


class Patience:
    """Makes the waits of each piece of work."""

    def __init__(self, *, sleep: Sleep, draw: random.Random) -> None:
        self._sleep = sleep
        self._draw = draw

    def waits(
        self,
        remaining_seconds: RemainingSeconds,
        *,
        reserved_seconds: float = RESERVED_SECONDS,
        most_seconds: float = float("inf"),
    ) -> Waits:
        """Return the waits of a piece of work that begins now.

        Args:
            remaining_seconds: of the invocation.
            reserved_seconds: how much of them is kept back for what follows.
            most_seconds: how long the work is worth a wait at all.
        """
        return Waits(
            remaining_seconds,
            sleep=self._sleep,
            draw=self._draw,
            reserved_seconds=reserved_seconds,
            most_seconds=most_seconds,
        )
