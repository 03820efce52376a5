"""What a smoke test puts into a deployment, so that it becomes one batch and one run."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lambda_ingest.contract.dates import utc_date
from lambda_ingest.contract.records import BYTES_PER_MB
from lambda_ingest.contract.sample_input import GeneratedFile, generate_file
from lambda_ingest.contract.settings import DateSource, SettingsReader, SharedSettings
from ndjson_pipeline.errors import PipelineError

DEFAULT_FILE_SIZE_BYTES = 100 * 1024
# A batch beyond this is no small input any more.
_LARGEST_BATCH = 100
_EXTENSION = ".ndjson"


class SmokePlanError(PipelineError):
    """What was asked for can't become what the smoke test looks for."""


@dataclass(frozen=True)
class IngestRules:
    """How the deployment's manifest builder takes and batches files, as its environment variables say.

    Attributes:
        max_files: a batch of today is cut at so many.
        max_batch_age_seconds: what no file fills is cut after this; 0 never, until the day is over.
        expected_size_mb: files of another size are refused; 0 takes any.
        shared: where files lie, how they are named.
    """

    max_files: int
    max_batch_age_seconds: float
    expected_size_mb: float
    shared: SharedSettings

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> "IngestRules":
        """Read the Lambda's environment variables; what is absent has the contract's default.

        Raises:
            SmokePlanError: one makes no sense.
        """
        reader = SettingsReader(variables)
        rules = cls(
            max_files=reader.whole("MAX_FILES_PER_MANIFEST", 10, lowest=1),
            max_batch_age_seconds=reader.number("MAX_BATCH_AGE_SECONDS", 0.0),
            expected_size_mb=reader.number("EXPECTED_FILE_SIZE_MB", 3.5),
            shared=SharedSettings.read(reader),
        )
        if reader.problems:
            raise SmokePlanError(
                "the manifest builder's variables need mending: " + "; ".join(reader.problems)
            )
        return rules


@dataclass(frozen=True)
class SmokePlan:
    """What is put in.

    Attributes:
        date_prefix: today, in UTC.
        files: with their names and bytes.
        is_one_batch: whether they fill one batch exactly, so that one run has to take them.
    """

    date_prefix: str
    files: tuple[GeneratedFile, ...]
    is_one_batch: bool

    @property
    def records(self) -> int:
        """How many lines all files have."""
        return sum(file.record_count for file in self.files)


def plan_smoke(rules: IngestRules, *, files: int | None, now: datetime, draw: random.Random) -> SmokePlan:
    """Choose files of today that fill a batch, each of about 100 KB, or of the size that is expected; pure.

    Args:
        rules: the deployment's.
        files: how many; None fills one batch.
        now: its date is theirs.
        draw: makes them; two smoke tests must not have the same names.

    Raises:
        SmokePlanError: they would not be accepted, or not all be batched today.
    """
    if _EXTENSION not in rules.shared.input_extensions or DateSource.NAME not in rules.shared.date_sources:
        raise SmokePlanError(
            f"the deployment takes no files named {{date}}-{{name}}{_EXTENSION}; "
            "a smoke test has to be made of files as its producers send them"
        )
    if files is None and rules.max_files > _LARGEST_BATCH:
        raise SmokePlanError(
            f"a batch of this deployment has {rules.max_files} files; pass --files with how many to put in"
        )
    count = rules.max_files if files is None else files
    left = count % rules.max_files
    if left and not rules.max_batch_age_seconds:
        raise SmokePlanError(
            f"{left} of {count} files would wait until the day is over, because batches of {rules.max_files} "
            f"are cut and MAX_BATCH_AGE_SECONDS is off; pass --files {rules.max_files}"
        )
    size = round(rules.expected_size_mb * BYTES_PER_MB) or DEFAULT_FILE_SIZE_BYTES
    day = utc_date(now)
    return SmokePlan(
        date_prefix=day.isoformat(),
        files=tuple(generate_file(day, number, now, size, draw) for number in range(1, count + 1)),
        is_one_batch=count == rules.max_files,
    )
