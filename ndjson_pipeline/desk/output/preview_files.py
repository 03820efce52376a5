"""A date's Parquet brought to a folder of this machine, within a bound; what is left out is told."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from lambda_ingest.contract.records import BYTES_PER_MB
from ndjson_pipeline.desk.aws_errors import is_absent
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.output.files import ParquetFile, output_files
from ndjson_pipeline.errors import PipelineError

Tell = Callable[[str], None]

_AT_ONCE = 4
_CHUNK = 1024 * 1024
# A run that converts a date again may remove files; a listing after it has the new ones.
_LISTINGS = 3


class PreviewFilesError(PipelineError):
    """The files of a date can't be brought here."""


@dataclass(frozen=True)
class Brought:
    """What was brought.

    Attributes:
        paths: the files here, in the order of their keys.
        size_mb: theirs together.
        files_of_date: that the date has.
        mb_of_date: their size.
        unreadable: names of those that are no Parquet.
    """

    paths: tuple[Path, ...]
    size_mb: float
    files_of_date: int
    mb_of_date: float
    unreadable: tuple[str, ...] = ()

    @property
    def is_part(self) -> bool:
        """Whether the date has more."""
        return len(self.paths) < self.files_of_date


def bring(desk: Desk, date: str, folder: Path, most_mb: int, tell: Tell) -> Brought:
    """Copy a date's Parquet files into a folder, in the order of their keys, as many as fit a bound.

    Args:
        desk: the deployment.
        date: the date.
        folder: where to; it is there, and empty.
        most_mb: so many MB at most.
        tell: told how far it is.

    Raises:
        PreviewFilesError: no file is so small; or the date's files change all the time.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    for _ in range(_LISTINGS):
        files = output_files(desk, date)
        chosen = within(files, most_mb * BYTES_PER_MB)
        if files and not chosen:
            smallest = min(file.size_bytes for file in files) / BYTES_PER_MB
            raise PreviewFilesError(
                f"the smallest Parquet file of {date} has {smallest:,.1f} MB: pass a --most-mb above "
                f"{most_mb}"
            )
        paths = _copy_all(desk, chosen, folder, tell)
        if paths is not None:
            break
    else:
        raise PreviewFilesError(
            f"files of {date} were replaced while they were copied, {_LISTINGS} times: it is being converted "
            "again; try again in a minute"
        )
    readable = [path for path in paths if _is_parquet(path)]
    return Brought(
        tuple(readable),
        sum(path.stat().st_size for path in readable) / BYTES_PER_MB,
        len(files),
        sum(file.size_bytes for file in files) / BYTES_PER_MB,
        tuple(path.name for path in paths if path not in readable),
    )


def within(files: Sequence[ParquetFile], most_bytes: float) -> list[ParquetFile]:
    """Return the files that fit a bound together, in their order; one that does not is passed over. Pure."""
    chosen, left = [], most_bytes
    for file in files:
        if file.size_bytes <= left:
            chosen.append(file)
            left -= file.size_bytes
    return chosen


def _copy_all(desk: Desk, files: Sequence[ParquetFile], folder: Path, tell: Tell) -> list[Path] | None:
    """Return where the files are; None where one was removed meanwhile."""
    bucket, s3 = desk.names.output_bucket, desk.s3

    def copy(file: ParquetFile) -> Path | None:
        path = folder / file.name
        try:
            body = s3.get_object(Bucket=bucket, Key=file.key)["Body"]
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        with body, path.open("wb") as target:
            for chunk in body.iter_chunks(_CHUNK):
                target.write(chunk)
        return path

    paths: list[Path] = []
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="preview") as pool:
        for path in pool.map(copy, files):
            if path is None:
                return None
            paths.append(path)
            tell(f"{len(paths):,} of {len(files):,} Parquet files")
    return paths


def _is_parquet(path: Path) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - a second
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError):
        return False
    return True
