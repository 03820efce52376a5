"""How fast files go in, and when they may not; pure."""

import math
from dataclasses import dataclass

# SendMessageBatch takes at most this many messages.
LARGEST_BATCH = 10


class Pace:
    """So many files a second on average, without making up for pauses.

    Args:
        rate: files a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._due = 0.0

    @property
    def batch(self) -> int:
        """How many files may go at once."""
        return max(1, min(LARGEST_BATCH, math.floor(self._rate)))

    def wait(self, files: int, now: float) -> float:
        """Return how many seconds to wait before so many files go.

        Args:
            files: how many.
            now: seconds of a clock that never goes back.
        """
        begin = max(self._due, now)
        self._due = begin + files / self._rate
        return begin - now


@dataclass(frozen=True)
class Depth:
    """What lies in the queues, about.

    Attributes:
        backlog: messages of the queue, those that somebody has included.
        dead_letters: messages of the dead-letter queue.
    """

    backlog: int
    dead_letters: int


def has_grown(now: Depth, at_first: Depth) -> bool:
    """Tell whether messages became dead letters since the load began."""
    return now.dead_letters > at_first.dead_letters
