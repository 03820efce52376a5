"""What a day costs: a bill from how many files come, how large they are, and how the pipeline is set; pure.

What each file, manifest, run and tick asks of AWS is counted from the code and by `make bench`; docs/cost.md
says how. Prices are us-east-1's list prices of November 2026, without free tiers; another region's take their
place.
"""

import math
from dataclasses import dataclass

from ndjson_pipeline.glue.capacity import MB_PER_SECOND_AND_WORKER, Capacity
from ndjson_pipeline.glue.cost import DPU_OF_WORKER, LIST_PRICE_USD

SECONDS_A_DAY = 86_400.0
_MB_PER_GB = 1024.0
_DAYS_A_MONTH = 30.0

# As the benchmark `steady` has it: a run's process claims after three seconds, Glue starts for half a minute,
# which is not billed, and works for forty seconds besides the bytes; it bills a minute at least.
_BEFORE_WORK_SECONDS = 33.0
_FIXED_WORK_SECONDS = 40.0
_SHORTEST_BILLED_SECONDS = 60.0
_FILES_AN_INVOCATION = 10
# How long runs take follows from how much each is given, and that from how long they take.
_STEPS = 20

# Write units of items below 1 KB: one a write, two in a transaction, one for each index entry that is put or
# taken out (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html).
_WRITES_A_FILE = (1 + 1) + (2 + 1)  # tracked, in the index of what is pending; marked, out of it
_WRITES_A_MANIFEST = (
    2  # its lock, taken and given back
    + (2 + 2 + 1)  # the commit with its look at the lock, and its place in the index by status
    + (2 + 1)  # its files are marked
    + (1 + 2)  # claimed: another place in the index
    + (1 + 1)  # the Glue run's id
    + (2 + 2 + 2)  # completed, with the date's totals
)
_WRITES_A_RUN = 2 + 2  # its time, in the date's totals
_WRITES_AN_INVOCATION = 2 * 3  # three counts, in one transaction
_READS_A_FILE = 1.0  # the strong look before its batch is written
_READS_A_MANIFEST = 4.0
_READS_AN_INVOCATION = 0.5
# Of the sensors and the sweeper, whatever comes: 5, 10 and 30 seconds, and a timer.
_READS_A_DAY = 17_280 * 1.0 + 8_640 * 0.5 + 2_880 * 1.0 + 288 * 2.0
_LISTS_A_DAY = 8_640 + 288 * 4
# A Lambda's pollers wait for 20 seconds at a queue, five of them while it is empty.
_EMPTY_RECEIVES_A_DAY = 5 * SECONDS_A_DAY / 20
_PUTS_A_MANIFEST = 1 + 3 + 1  # itself, its Parquet (begin, part, end), a share of a report and its messages
_PUTS_AN_INVOCATION = 1  # its report
_LOG_MB_AN_INVOCATION = 3 / 1024
_LOG_MB_A_RUN = 0.5


@dataclass(frozen=True)
class Prices:
    """List prices, in USD.

    Attributes:
        lambda_gb_second: of arm64.
        lambda_million: a million requests.
        sqs_million: a million requests.
        s3_put_thousand: a thousand writes or lists.
        s3_get_thousand: a thousand reads.
        s3_gb_month: storage.
        write_million: a million write units on demand.
        read_million: a million read units on demand.
        dpu_hour: of a Glue run; of the flexible class it is 0.29.
        log_gb: written to CloudWatch.
    """

    lambda_gb_second: float = 0.0000133334
    lambda_million: float = 0.20
    sqs_million: float = 0.40
    s3_put_thousand: float = 0.005
    s3_get_thousand: float = 0.0004
    s3_gb_month: float = 0.023
    write_million: float = 0.625
    read_million: float = 0.125
    dpu_hour: float = LIST_PRICE_USD
    log_gb: float = 0.50


@dataclass(frozen=True)
class Load:
    """A day of one date, and how the pipeline is set for it.

    Attributes:
        files_a_day: how many come, evenly over the day.
        file_mb: how large each is, in MB.
        dial_minutes: `LAUNCH_MAX_WAIT_SECONDS`, in minutes; 0 launches at once.
        files_per_manifest: `MAX_FILES_PER_MANIFEST`.
        places: how many Glue runs go at once.
        input_days: how long input is kept.
        lambda_gb: memory of the manifest builder.
        invocation_seconds: how long an invocation of ten files takes.
    """

    files_a_day: float
    file_mb: float = 3.5
    dial_minutes: float = 0.0
    files_per_manifest: int = 10
    places: int = 2
    input_days: float = 30.0
    lambda_gb: float = 0.25
    invocation_seconds: float = 0.5

    @property
    def mb_a_day(self) -> float:
        """All input of the day, in MB."""
        return self.files_a_day * self.file_mb

    @property
    def manifests_a_day(self) -> int:
        """How many batches the day makes; the last is what midnight flushes."""
        return math.ceil(self.files_a_day / self.files_per_manifest)


@dataclass(frozen=True)
class GlueDay:
    """What Glue does in a day.

    Attributes:
        runs: how many.
        workers: of each, driver included.
        dpu_hours: billed.
    """

    runs: int
    workers: int
    dpu_hours: float


@dataclass(frozen=True)
class Line:
    """One line of a bill.

    Attributes:
        what: the service, and what of it.
        usd: a day.
    """

    what: str
    usd: float


def glue_day(load: Load, capacity: Capacity | None = None) -> GlueDay:
    """Return what Glue does: a run for what waits, as often as dial, batches and places allow."""
    capacity = capacity or Capacity()
    if load.manifests_a_day == 0:
        return GlueDay(0, capacity.least_workers, 0.0)
    between_manifests = SECONDS_A_DAY / load.manifests_a_day
    if load.dial_minutes:
        # Launched once its oldest manifest has waited so long, and that one comes after the last launch.
        return _glue_day(load, load.dial_minutes * 60.0 + between_manifests, capacity)
    # At once; but where all places are taken, what comes meanwhile waits and goes together.
    interval = between_manifests
    for _ in range(_STEPS):
        works = _works(load.mb_a_day * interval / SECONDS_A_DAY, capacity)
        interval = max(between_manifests, (_BEFORE_WORK_SECONDS + works) / load.places)
    return _glue_day(load, interval, capacity)


def _glue_day(load: Load, interval: float, capacity: Capacity) -> GlueDay:
    """Return what Glue does where a date is launched once in so many seconds."""
    launches = max(1.0, SECONDS_A_DAY / interval)
    mb_a_launch = load.mb_a_day / launches
    shares = max(1, math.ceil(mb_a_launch / capacity.most_mb))
    runs, mb = launches * shares, mb_a_launch / shares
    workers = capacity.workers_for(mb)
    billed = max(_works(mb, capacity), _SHORTEST_BILLED_SECONDS)
    dpu = workers * DPU_OF_WORKER[capacity.worker_type]
    return GlueDay(round(runs), workers, runs * dpu * billed / 3600.0)


def _works(mb: float, capacity: Capacity) -> float:
    """Return the seconds that a run works for so many MB."""
    converting = capacity.workers_for(mb) - 1
    return _FIXED_WORK_SECONDS + mb / (MB_PER_SECOND_AND_WORKER * converting)


def day_bill(load: Load, prices: Prices | None = None, capacity: Capacity | None = None) -> list[Line]:
    """Return a day's bill, without the platform that stands there whatever comes (docs/cost.md has it)."""
    prices = prices or Prices()
    glue = glue_day(load, capacity)
    # Few files come one by one.
    invocations = max(load.files_a_day / _FILES_AN_INVOCATION, min(load.files_a_day, SECONDS_A_DAY / 5))
    manifests, files = load.manifests_a_day, load.files_a_day
    writes = (
        files * _WRITES_A_FILE
        + manifests * _WRITES_A_MANIFEST
        + glue.runs * _WRITES_A_RUN
        + invocations * _WRITES_AN_INVOCATION
    )
    reads = (
        files * _READS_A_FILE
        + manifests * _READS_A_MANIFEST
        + invocations * _READS_AN_INVOCATION
        + _READS_A_DAY
    )
    puts = manifests * _PUTS_A_MANIFEST + invocations * _PUTS_AN_INVOCATION + glue.runs * 2 + _LISTS_A_DAY
    gets = files + manifests * 4 + invocations + glue.runs * 4
    input_gb = load.mb_a_day / _MB_PER_GB
    stored = input_gb * load.input_days * prices.s3_gb_month / _DAYS_A_MONTH
    log_gb = (invocations * _LOG_MB_AN_INVOCATION + glue.runs * _LOG_MB_A_RUN) / _MB_PER_GB
    return [
        Line("Glue", glue.dpu_hours * prices.dpu_hour),
        Line(
            "Lambda",
            invocations * load.invocation_seconds * load.lambda_gb * prices.lambda_gb_second
            + invocations / 1e6 * prices.lambda_million,
        ),
        # Sent, received and deleted; the last two in tens, at most.
        Line("SQS", (files + 2 * invocations + _EMPTY_RECEIVES_A_DAY) / 1e6 * prices.sqs_million),
        Line("DynamoDB", (writes * prices.write_million + reads * prices.read_million) / 1e6),
        Line("S3 requests", puts / 1e3 * prices.s3_put_thousand + gets / 1e3 * prices.s3_get_thousand),
        Line("S3, input kept", stored),
        Line("CloudWatch logs", log_gb * prices.log_gb),
    ]


def total(lines: list[Line]) -> float:
    """Return the sum of a bill, in USD."""
    return sum(line.usd for line in lines)
