"""The rows of a date out of the output bucket, as Parquet in a folder, and the query that reads them."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq

from glue_jobs.writing.names import date_folder
from lambda_ingest.contract.dates import parse_date
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.errors import PipelineError

QUERY_FILE = "query.sql"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.parquet")
_AT_ONCE = 4
_MOST_NAMED = 3


class FetchError(PipelineError):
    """The rows of a date can't be fetched."""


@dataclass(frozen=True)
class Fetched:
    """What was fetched.

    Attributes:
        folder: where it lies.
        files: how many Parquet files.
        rows: how many rows they hold.
        size_bytes: how large they are together.
    """

    folder: Path
    files: int
    rows: int
    size_bytes: int


@dataclass(frozen=True)
class _Object:
    key: str
    size_bytes: int

    @property
    def name(self) -> str:
        return PurePosixPath(self.key).name


def day_of(text: str, today: date) -> str:
    """Return a date that a person names: `today`, `yesterday`, or as YYYY-MM-DD; pure.

    Args:
        text: what was named.
        today: today's UTC date.

    Raises:
        FetchError: it is none.
    """
    days = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        return (days.get(text) or parse_date(text)).isoformat()
    except ValueError as error:
        raise FetchError(
            f"--date must be a UTC date as YYYY-MM-DD, today or yesterday, got {text!r}"
        ) from error


def fetch_date(
    deployment: Deployment, date_prefix: str, folder: Path, tell: Callable[[int, int], None] | None = None
) -> Fetched:
    """Copy a date's Parquet files into a folder, where they replace those of a former call.

    Args:
        deployment: whose output.
        date_prefix: the date, YYYY-MM-DD.
        folder: where to; made where it is not there.
        tell: called with how many files are there, and how many there will be.

    Raises:
        FetchError: the date has no rows yet, or the folder holds other Parquet, which a query would count.
        ClientError: the bucket can't be read.
    """
    found = list(_listed(deployment, date_prefix))
    if not found:
        raise FetchError(
            f"{date_prefix} has no Parquet in {deployment.names.output_bucket}: nothing was converted of it "
            "yet. Dates are of UTC, and a batch of today waits until it is full"
        )
    folder.mkdir(parents=True, exist_ok=True)
    _check_folder(folder, {each.name for each in found})

    def copy(each: _Object) -> int:
        path = folder / each.name
        # A file is there whole or not at all.
        part = path.with_name(f".{path.name}.part")
        try:
            deployment.s3.download_file(deployment.names.output_bucket, each.key, str(part))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return int(pq.read_metadata(path).num_rows)

    rows = 0
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for done, count in enumerate(pool.map(copy, found), start=1):
            rows += count
            if tell is not None:
                tell(done, len(found))
    return Fetched(folder, len(found), rows, sum(each.size_bytes for each in found))


def _listed(deployment: Deployment, date_prefix: str) -> Iterator[_Object]:
    job = deployment.glue.get_job(JobName=deployment.names.glue_job)["Job"]
    arguments = {**job.get("DefaultArguments", {}), **job.get("NonOverridableArguments", {})}
    prefix = date_folder(arguments.get("--OUTPUT_PREFIX", "").strip().strip("/"), date_prefix)
    pages = deployment.s3.get_paginator("list_objects_v2").paginate(
        Bucket=deployment.names.output_bucket, Prefix=prefix
    )
    for page in pages:
        for item in page.get("Contents", []):
            each = _Object(item["Key"], item["Size"])
            if _NAME.fullmatch(each.name):
                yield each


def _check_folder(folder: Path, expected: set[str]) -> None:
    others = sorted({path.name for path in folder.glob("*.parquet")} - expected)
    if others:
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        raise FetchError(
            f"{folder} holds Parquet that is not of this date, or of a former state of it, and a query would "
            f"count it: {', '.join(others[:_MOST_NAMED])}{more}; empty the folder, or name another with --to"
        )


def write_query(pattern: Path, folder: Path) -> tuple[Path, str]:
    """Write a query for DuckDB beside the files, and return where it is and what it says.

    Args:
        pattern: which files, such as `rows/*.parquet`.
        folder: where the query goes.
    """
    quoted = str(pattern.absolute()).replace("'", "''")
    query = f"SELECT * FROM read_parquet('{quoted}', union_by_name = true) LIMIT 20;"
    path = folder / QUERY_FILE
    path.write_text(f"{query}\n")
    return path, query


def fetch_dates(deployment: Deployment, dates: Sequence[str], folder: Path) -> Fetched:
    """Copy the Parquet of several dates into folders of their own below one.

    Raises:
        FetchError: as `fetch_date` says.
    """
    parts = [fetch_date(deployment, each, folder / f"merged-parquet-{each}") for each in dates]
    return Fetched(
        folder,
        sum(part.files for part in parts),
        sum(part.rows for part in parts),
        sum(part.size_bytes for part in parts),
    )
