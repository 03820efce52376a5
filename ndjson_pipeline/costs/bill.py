"""What a day's files cost: a bill from how many come, how large they are, and how the pipeline is set; pure.

What each file, manifest, run and tick asks of AWS is counted from the code and by `make bench`; docs/cost.md
says how.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ndjson_pipeline.costs.glue_day import GlueDay, glue_day
from ndjson_pipeline.costs.load import Load
from ndjson_pipeline.costs.pace import SECONDS_A_DAY
from ndjson_pipeline.costs.prices import DAYS_A_MONTH, Prices
from ndjson_pipeline.glue.capacity import Capacity

MB_PER_TB = 1_048_576.0
_MB_PER_GB = 1024.0
_FILES_AN_INVOCATION = 10

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
class Line:
    """One line of a bill.

    Attributes:
        what: the service, and what of it.
        usd: a day.
    """

    what: str
    usd: float


def day_bill(
    load: Load,
    prices: Prices | None = None,
    capacity: Capacity | None = None,
    glue: GlueDay | None = None,
) -> list[Line]:
    """Return a day's bill, without the platform that stands there whatever comes (`standing` has it).

    Args:
        load: what comes, and how the pipeline is set.
        prices: list prices without it.
        capacity: the workers of a run; the product's own without it.
        glue: the day, where it was simulated already.
    """
    prices = prices or Prices()
    glue = glue or glue_day(load, capacity)
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
    stored = input_gb * load.input_days * prices.s3_gb_month / DAYS_A_MONTH
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


def total(lines: Sequence[Line]) -> float:
    """Return the sum of a bill, in USD."""
    return sum(line.usd for line in lines)


def usd_per_tb(lines: Sequence[Line], load: Load) -> float | None:
    """Return what a TB of input costs, in USD; None where there is no input."""
    return total(lines) / (load.mb_a_day / MB_PER_TB) if load.mb_a_day else None
