"""Time and identity, passed in so that a test can decide them."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
NewId = Callable[[], str]


def utc_now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


def random_id() -> str:
    """Return 32 random hex digits."""
    return uuid.uuid4().hex
