"""What time it is at AWS, by the `Date` of its answers; pure.

A `Date` has whole seconds. Each answer bounds how far this machine's clock is off: the second that it names
lies between the request and the answer. Many answers, at many places of a second, leave little room.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from statistics import median


@dataclass
class ServerClock:
    """Learns how far AWS's clock is ahead of this machine's.

    Attributes:
        lowest: it is ahead by so many seconds at least.
        highest: and by so many at most.
    """

    lowest: float = float("-inf")
    highest: float = float("inf")

    def __post_init__(self) -> None:
        self._guesses: list[float] = []

    def learn(self, asked_at: float, answered_at: float, date: str | None) -> None:
        """Take an answer into account; one without a readable `Date` tells nothing.

        Args:
            asked_at: when the request began, in this machine's epoch seconds.
            answered_at: when its answer came.
            date: the answer's header.
        """
        try:
            second = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        self.lowest = max(self.lowest, second - answered_at)
        self.highest = min(self.highest, second + 1 - asked_at)
        self._guesses.append(second + 0.5 - (asked_at + answered_at) / 2)

    @property
    def ahead(self) -> float:
        """How many seconds AWS is ahead; 0 where nothing is known."""
        if not self._guesses:
            return 0.0
        # A clock that was set meanwhile leaves bounds that exclude each other.
        return (self.lowest + self.highest) / 2 if self.lowest <= self.highest else median(self._guesses)

    @property
    def uncertainty(self) -> float | None:
        """By how many seconds that may be wrong, either way; None where nothing is known."""
        if not self._guesses:
            return None
        return (self.highest - self.lowest) / 2 if self.lowest <= self.highest else 0.5

    def at_server(self, local: float) -> datetime:
        """Return an instant of this machine's epoch seconds as AWS's clock has it."""
        return datetime.fromtimestamp(local + self.ahead, UTC)
