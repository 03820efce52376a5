"""Test input: NDJSON of plausible events, the same for the same seed."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

_EVENTS = ("view", "click", "search", "purchase", "login", "logout")
_COUNTRIES = ("CH", "DE", "FR", "IT", "JP", "BR", "US")
_PAGES = ("/", "/search", "/basket", "/checkout", "/account", "/hilfe/öffnungszeiten")


@dataclass(frozen=True)
class GeneratedFile:
    """One generated file.

    Attributes:
        name: its filename after the contract, `{date}-test{n:04d}-{HHMMSS}-{uuid8}.ndjson`.
        content: its bytes.
        record_count: its lines.
    """

    name: str
    content: bytes
    record_count: int


def generated_name(day: date, number: int, instant: datetime, unique: str) -> str:
    """Name a generated file; `number` counts from 1."""
    return f"{day.isoformat()}-test{number:04d}-{instant.astimezone(UTC):%H%M%S}-{unique[:8]}.ndjson"


def generate_lines(day: date, size_bytes: int, draw: random.Random) -> Iterator[bytes]:
    """Yield lines, each with its line feed, until they reach at least `size_bytes`; at least one."""
    written = 0
    midnight = datetime.combine(day, time(), UTC)
    while written < max(size_bytes, 1):
        line = json.dumps(_record(midnight, draw), ensure_ascii=False).encode() + b"\n"
        written += len(line)
        yield line


def generate_file(
    day: date, number: int, instant: datetime, size_bytes: int, draw: random.Random
) -> GeneratedFile:
    """Return one whole file of about `size_bytes`."""
    lines = list(generate_lines(day, size_bytes, draw))
    unique = f"{draw.getrandbits(32):08x}"
    return GeneratedFile(generated_name(day, number, instant, unique), b"".join(lines), len(lines))


def _record(midnight: datetime, draw: random.Random) -> dict[str, object]:
    happened = midnight + timedelta(milliseconds=draw.randrange(86_400_000))
    event = draw.choice(_EVENTS)
    record: dict[str, object] = {
        "event_id": f"{draw.getrandbits(128):032x}",
        "event_time": happened.isoformat(timespec="milliseconds"),
        "event": event,
        "user_id": draw.randrange(1, 1_000_000),
        "session": {
            "id": f"{draw.getrandbits(64):016x}",
            "page": draw.choice(_PAGES),
            "depth": draw.randrange(40),
        },
        "country": draw.choice(_COUNTRIES),
        "latency_ms": round(draw.expovariate(1 / 80), 3),
        "is_member": draw.random() < 0.3,
        "tags": [f"t{draw.randrange(20)}" for _ in range(draw.randrange(4))],
    }
    if event == "purchase":
        record["amount"] = round(draw.uniform(1, 500), 2)
    if draw.random() < 0.1:
        record["referrer"] = None
    return record
