"""Test input: NDJSON of plausible events at a rate, the same for the same seed, into a bucket or a folder."""

import io
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.dates import parse_date, utc_date
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.records import BYTES_PER_MB

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_EVENTS = ("view", "click", "search", "purchase", "login", "logout")
_COUNTRIES = ("CH", "DE", "FR", "IT", "JP", "BR", "US")
_PAGES = ("/", "/search", "/basket", "/checkout", "/account", "/hilfe/öffnungszeiten")
# Seconds between files; a pair is drawn from evenly.
RATES: Mapping[str, float | tuple[float, float]] = {
    "immediate": 0.0,
    "fast": 1.0,
    "medium": 5.0,
    "slow": 10.0,
    "random": (1.0, 10.0),
}
DEFAULT_FILE_SIZE_MB = 3.5
MAX_FILES = 10_000
MAX_FILE_SIZE_MB = 5_000.0


class GeneratorRequestError(IngestError):
    """What was asked for makes no sense, or would take longer than there is time."""


@dataclass(frozen=True)
class GeneratorRequest:
    """What to generate.

    Attributes:
        file_count: how many files.
        ingestion_rate: a name of `RATES`.
        delay_seconds: seconds between files; overrides the rate.
        date_prefix: the date in their names; None means today in UTC.
        file_size_mb: about how large each is, in MB of 1,048,576 bytes.
        seed: the same seed gives the same records; None draws one.
    """

    file_count: int = 20
    ingestion_rate: str = "immediate"
    delay_seconds: float | None = None
    date_prefix: date | None = None
    file_size_mb: float = DEFAULT_FILE_SIZE_MB
    seed: int | None = None

    @classmethod
    def parse(
        cls, event: Mapping[str, Any], default_size_mb: float = DEFAULT_FILE_SIZE_MB
    ) -> "GeneratorRequest":
        """Read an event; what is absent or null is the default, and what is unknown is refused.

        Raises:
            GeneratorRequestError: names every field that is wrong.
        """
        problems = [f"{name!r} is no field" for name in sorted(event.keys() - _FIELDS)]
        given = {name: value for name, value in event.items() if name in _FIELDS and value is not None}
        for name, (expected, is_right) in _FIELDS.items():
            if name in given and not is_right(given[name]):
                problems.append(f"{name} must be {expected}, got {given[name]!r}")
        if problems:
            raise GeneratorRequestError("; ".join(problems))
        if "date_prefix" in given:
            given["date_prefix"] = parse_date(given["date_prefix"])
        return cls(**{"file_size_mb": default_size_mb, **given})

    def delays(self, draw: random.Random) -> list[float]:
        """Return the seconds to wait before each file; none before the first."""
        count = max(self.file_count - 1, 0)
        if self.delay_seconds is not None:
            return [0.0] + [float(self.delay_seconds)] * count
        rate = RATES[self.ingestion_rate]
        if isinstance(rate, tuple):
            return [0.0] + [draw.uniform(*rate) for _ in range(count)]
        return [0.0] + [rate] * count

    def check_time(self, delays: list[float], available_seconds: float) -> None:
        """Do nothing where the waits fit.

        Raises:
            GeneratorRequestError: they do not; the message has the numbers.
        """
        needed = sum(delays)
        if needed > available_seconds:
            raise GeneratorRequestError(
                f"{self.file_count} files at this rate take {needed:.0f} s of waiting, but there are "
                f"{available_seconds:.0f} s; ask for fewer files, a faster rate, or use the command line"
            )


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and _is_number(value, low, high)


def _is_date(value: object) -> bool:
    try:
        parse_date(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


_FIELDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "file_count": (f"a whole number from 1 to {MAX_FILES}", lambda value: _is_whole(value, 1, MAX_FILES)),
    "ingestion_rate": (f"one of {', '.join(RATES)}", lambda value: isinstance(value, str) and value in RATES),
    "delay_seconds": ("a number from 0 to 86400", lambda value: _is_number(value, 0, 86_400)),
    "date_prefix": ("a date as YYYY-MM-DD", _is_date),
    "file_size_mb": (
        f"a number from 0 to {MAX_FILE_SIZE_MB:g}",
        lambda value: _is_number(value, 0, MAX_FILE_SIZE_MB),
    ),
    "seed": ("a whole number", lambda value: _is_whole(value, -(2**63), 2**63)),
}


class Sink(Protocol):
    """Where generated files go."""

    def write(self, name: str, lines: Iterator[bytes]) -> int:
        """Write one file from its lines, and return its size in bytes."""


class BucketSink:
    """Streams files into the input bucket; holds a part of one in memory, never a whole large one."""

    def __init__(self, s3: "S3Client", *, bucket: str, prefix: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix

    def write(self, name: str, lines: Iterator[bytes]) -> int:
        """Upload one file."""
        stream = _LineStream(lines)
        self._s3.upload_fileobj(cast("IO[bytes]", stream), self._bucket, f"{self._prefix}{name}")
        return stream.size


class FolderSink:
    """Writes files into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, lines: Iterator[bytes]) -> int:
        """Write one file; it has its name only once it is whole."""
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f"_{name}"
        with unfinished.open("wb") as file:
            size = sum(file.write(line) for line in lines)
        unfinished.rename(self._folder / name)
        return size


@dataclass(frozen=True)
class Generated:
    """What was generated.

    Attributes:
        names: the files, in order.
        size_bytes: their sizes' sum.
        seed: what the records were drawn from.
        stopped_early: whether time ran out before the last file.
    """

    names: tuple[str, ...]
    size_bytes: int
    seed: int
    stopped_early: bool


def generate(
    request: GeneratorRequest,
    sink: Sink,
    *,
    clock: Clock,
    sleep: Callable[[float], None],
    remaining_seconds: Callable[[], float],
    reserved_seconds: float = 0.0,
    tell: Callable[[str, int], None] = lambda _name, _size: None,
) -> Generated:
    """Write the files, one at a time, at their rate.

    Args:
        request: what to generate.
        sink: where the files go.
        clock: names the files; also today's date where none is asked for.
        sleep: waits between files.
        remaining_seconds: how long there is; checked before anything is written, and before each file.
        reserved_seconds: of those, what is kept back.
        tell: called with each file's name and size once it is written.

    Raises:
        GeneratorRequestError: the rate would outlast the time; nothing was written.
    """
    seed = request.seed if request.seed is not None else random.SystemRandom().getrandbits(63)
    draw = random.Random(seed)
    delays = request.delays(draw)
    request.check_time(delays, remaining_seconds() - reserved_seconds)
    names: list[str] = []
    total = 0
    for number, delay in enumerate(delays, start=1):
        if names and remaining_seconds() - delay < reserved_seconds:
            return Generated(tuple(names), total, seed, stopped_early=True)
        if delay:
            sleep(delay)
        now = clock()
        day = request.date_prefix or utc_date(now)
        name = generated_name(day, number, now, f"{draw.getrandbits(32):08x}")
        size = sink.write(name, generate_lines(day, int(request.file_size_mb * BYTES_PER_MB), draw))
        names.append(name)
        total += size
        tell(name, size)
    return Generated(tuple(names), total, seed, stopped_early=False)


class _LineStream(io.RawIOBase):
    """A file object that is read from lines as they are made."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        super().__init__()
        self._lines = lines
        self._rest = b""
        self.size = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return exactly `size` bytes, fewer only at the end; all there is for a negative size."""
        pieces, have = [self._rest], len(self._rest)
        while size < 0 or have < size:
            line = next(self._lines, None)
            if line is None:
                break
            pieces.append(line)
            have += len(line)
        content = b"".join(pieces)
        cut = len(content) if size < 0 else size
        self._rest = content[cut:]
        self.size += len(content[:cut])
        return content[:cut]


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
