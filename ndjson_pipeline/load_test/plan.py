"""What a load test puts in, so that all of it can come out today; pure."""

import random
from dataclasses import dataclass
from datetime import date, datetime

from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.dates import utc_date
from lambda_ingest.contract.records import BYTES_PER_MB
from lambda_ingest.contract.sample_input import generate_lines
from lambda_ingest.contract.validation import RefusedFile, validate
from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.loading.rules import LoadRules

DEFAULT_SIZE_BYTES = 100 * 1024
# Files share so many contents: to make each anew would take longer than to put it.
_CONTENTS = 16


class LoadTestPlanError(PipelineError):
    """What was asked for could not come out as a load test looks for it."""


@dataclass(frozen=True)
class LoadTestPlan:
    """What is put in.

    Attributes:
        label: tells this load test from others; stands in each name.
        date_prefix: today, in UTC.
        names: below the input prefix.
        size_bytes: about how large each is.
        rate: files a second.
        concurrency: so many put files at once.
    """

    label: str
    date_prefix: str
    names: tuple[str, ...]
    size_bytes: int
    rate: float
    concurrency: int

    @property
    def stem(self) -> str:
        """What all names begin with."""
        return f"{self.date_prefix}-loadtest-{self.label}-"

    def contents(self, seed: int) -> list[bytes]:
        """Return the contents that the files share."""
        day, draw = date.fromisoformat(self.date_prefix), random.Random(seed)
        count = min(_CONTENTS, len(self.names))
        return [b"".join(generate_lines(day, self.size_bytes, draw)) for _ in range(count)]


def plan_load_test(
    rules: LoadRules,
    *,
    bucket: str,
    files: int,
    rate: float,
    concurrency: int,
    size_bytes: int | None,
    label: str,
    now: datetime,
) -> LoadTestPlan:
    """Choose files of today.

    Args:
        rules: the deployment's.
        bucket: the input bucket.
        files: how many.
        rate: files a second.
        concurrency: so many put files at once.
        size_bytes: about how large each is; None takes what is expected, or 100 KB.
        label: tells it from others.
        now: its date is theirs.

    Raises:
        LoadTestPlanError: they would be refused, or not all be batched today.
    """
    left = files % rules.max_files
    if left and not rules.max_batch_age_seconds:
        fitting = files - left or rules.max_files
        raise LoadTestPlanError(
            f"{left} of {files} files would wait until the day is over, because batches of {rules.max_files} "
            f"are cut and MAX_BATCH_AGE_SECONDS is off; pass --files {fitting}"
        )
    size = size_bytes or round(rules.input.expected_file_size_mb * BYTES_PER_MB) or DEFAULT_SIZE_BYTES
    day = utc_date(now).isoformat()
    extension = ".ndjson" if ".ndjson" in rules.input.input_extensions else rules.input.input_extensions[0]
    names = tuple(f"{day}-loadtest-{label}-{number:06d}{extension}" for number in range(1, files + 1))
    created = ObjectCreated(bucket, rules.input.input_prefix + names[0], size, "none", event_time=now)
    verdict = validate(created, rules.input, now)
    if isinstance(verdict, RefusedFile):
        raise LoadTestPlanError(
            f"the deployment would refuse such files ({verdict.reason}); --file-size-kb chooses another size"
        )
    if verdict.date_prefix != day or extension.endswith(".gz"):
        raise LoadTestPlanError(
            "the deployment takes no plain files named {date}-{name}; a load test is of files as "
            "producers send them"
        )
    return LoadTestPlan(label, day, names, size, rate, concurrency)
