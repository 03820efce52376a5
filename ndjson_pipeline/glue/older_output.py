"""Finds dates whose Parquet was written before columns of the dataset were changed by hand.

The schema contract counts such changes: its `generation`. Each output file bears the generation that it
follows, as metadata of its object. So what is done is seen by the files alone, whoever did it.
"""

import logging
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import ClientError

from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.items import error_code
from ndjson_pipeline.concurrency import CONCURRENT_CALLS
from ndjson_pipeline.deployment.partitions import partition_problem
from ndjson_pipeline.glue.job_settings import HasDataset, contract_store, output_prefix_of

GENERATION_METADATA = "schema-generation"
# Files looked at by one search: some minutes, sixteen at a time.
MOST_FILES = 50_000
_DATE_FOLDER = re.compile(r"merged-parquet-(\d{4}-\d{2}-\d{2})/")
_OUTPUT_FILE = re.compile(r"part-[0-9]+-[0-9a-f]{8}-[0-9]+\.[a-z]+\.parquet")
_GONE = frozenset({"NoSuchKey", "404"})


@dataclass(frozen=True)
class OlderDates:
    """What a search found.

    Attributes:
        generation: the contract's.
        dates: that have files of an older one, the newest first.
        dates_seen: how many it looked at.
        go_on_before: where it ended early, the last date that it looked at; None where it saw all.
    """

    generation: int
    dates: tuple[str, ...] = ()
    dates_seen: int = 0
    go_on_before: str | None = None


def older_dates(
    deployment: HasDataset,
    *,
    clock: Clock,
    log: logging.Logger,
    most_dates: int,
    before: str | None = None,
    most_files: int = MOST_FILES,
) -> OlderDates:
    """Return dates with files of an older generation than the contract's, the newest first.

    Costs a listing of the dates and of each one's files, and a HEAD of its files up to the first older one.

    Args:
        deployment: names, clients and settings.
        clock: tells the present instant.
        log: takes what was passed over.
        most_dates: it ends once it has found so many.
        before: only dates before this one are looked at.
        most_files: it ends after the date in which it has looked at so many.

    Raises:
        SchemaContractError: the contract can't be read.
        ClientError: AWS refused or failed.
    """
    prefix = output_prefix_of(deployment.glue, deployment.names.glue_job)
    generation = contract_store(deployment).read().generation
    if generation == 0:
        return OlderDates(0)
    found: list[str] = []
    files_seen = dates_seen = 0
    with ThreadPoolExecutor(CONCURRENT_CALLS, thread_name_prefix="generation") as pool:
        dates = [
            date for date in output_dates(deployment, prefix, clock, log) if before is None or date < before
        ]
        for date_prefix in dates:
            is_older = False
            for keys in _batches(_output_keys(deployment, prefix, date_prefix)):
                files_seen += len(keys)
                generations = pool.map(lambda key: _generation_of(deployment, key), keys)
                if any(each is not None and each < generation for each in generations):
                    is_older = True
                    break
            dates_seen += 1
            if is_older:
                found.append(date_prefix)
            if (len(found) >= most_dates or files_seen >= most_files) and date_prefix != dates[-1]:
                return OlderDates(generation, tuple(found), dates_seen, date_prefix)
    return OlderDates(generation, tuple(found), dates_seen)


def output_dates(deployment: HasDataset, prefix: str, clock: Clock, log: logging.Logger) -> list[str]:
    """Return the dates that have a folder and are partitions, the newest first.

    Args:
        deployment: names, the client and settings.
        prefix: the folder above the dates' folders, without slashes at its ends; may be empty.
        clock: tells the present instant.
        log: takes what was passed over.

    Raises:
        ClientError: S3 refused or failed.
    """
    above = f"{prefix}/" if prefix else ""
    pages = deployment.s3.get_paginator("list_objects_v2").paginate(
        Bucket=deployment.names.output_bucket, Prefix=f"{above}merged-parquet-", Delimiter="/"
    )
    folders = [
        each["Prefix"].removeprefix(above) for page in pages for each in page.get("CommonPrefixes", [])
    ]
    dates = [match[1] for folder in folders if (match := _DATE_FOLDER.fullmatch(folder)) is not None]
    start, now = deployment.settings.partition_start_date, clock()
    problems = [problem for date in dates if (problem := partition_problem(date, start, now)) is not None]
    if problems:
        log.warning(f"{len(problems)} folders of the output are no partitions: {'; '.join(problems[:5])}")
    return sorted((date for date in dates if partition_problem(date, start, now) is None), reverse=True)


def _output_keys(deployment: HasDataset, prefix: str, date_prefix: str) -> Iterator[str]:
    folder = f"{prefix}/" if prefix else ""
    pages = deployment.s3.get_paginator("list_objects_v2").paginate(
        Bucket=deployment.names.output_bucket, Prefix=f"{folder}merged-parquet-{date_prefix}/"
    )
    for page in pages:
        for item in page.get("Contents", []):
            if _OUTPUT_FILE.fullmatch(item["Key"].rpartition("/")[2]):
                yield item["Key"]


def _batches(keys: Iterator[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for key in keys:
        batch.append(key)
        if len(batch) == CONCURRENT_CALLS:
            yield batch
            batch = []
    if batch:
        yield batch


def _generation_of(deployment: HasDataset, key: str) -> int | None:
    """Return the generation that a file follows, 0 where it says none; None where it was removed just now."""
    try:
        answer = deployment.s3.head_object(Bucket=deployment.names.output_bucket, Key=key)
    except ClientError as error:
        if error_code(error) in _GONE:
            return None
        raise
    text = answer["Metadata"].get(GENERATION_METADATA, "")
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0
