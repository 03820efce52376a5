"""Folders of the input, found by listing with a delimiter, at the cost of folders and not of files."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lambda_ingest.audit.listing import AFTER_ALL
from lambda_ingest.audit.progress import Progress
from lambda_ingest.contract.file_dates import folder_date, partial_date
from lambda_ingest.contract.gate import HIDDEN_BEGINNINGS
from lambda_ingest.contract.settings import DateSource

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_DATED = re.compile(r"(\d{4})-\d{2}-\d{2}(?=-)", re.ASCII)


class InputFolders:
    """Walks the folders below the input prefix, from the top down, each before those in it.

    Where folders give dates, one of a date is yielded only where that is audited, and stands for those in it:
    so a walk costs the recent dates, and not their history.
    """

    def __init__(
        self, s3: "S3Client", *, bucket: str, input_prefix: str, date_sources: Sequence[DateSource]
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._input_prefix = input_prefix
        self._date_sources = date_sources

    def walk(self, dates: Sequence[str], progress: Progress) -> Iterator[str]:
        """Yield the folders from where the progress stands, which follows; the top is the empty one.

        Args:
            dates: those that are audited; over the names of others the walk leaps.
            progress: its `folder` is a folder, which is yielded again, or a key beyond which nothing is done.

        Raises:
            ClientError: S3 refused or failed.
            TimeIsUpError: the time is up, or there were many pages.
        """
        place = progress.position.folder
        if not place or place.endswith("/"):
            yield place
        folder, after = place.rpartition("/")[0], place
        if not self._is_dated(f"{folder}/"):
            yield from self._below(f"{folder}/" if folder else "", after, dates, progress)
        while folder:
            parent, _, _ = folder.rpartition("/")
            after = f"{folder}/{AFTER_ALL}"
            yield from self._below(f"{parent}/" if parent else "", after, dates, progress)
            folder = parent

    def _below(self, folder: str, after: str, dates: Sequence[str], progress: Progress) -> Iterator[str]:
        """Yield the folders in a folder that come after a key, each followed by those in it."""
        while True:
            progress.demand_page()
            request: dict[str, Any] = {"StartAfter": f"{self._input_prefix}{after}"} if after else {}
            page = self._s3.list_objects_v2(
                Bucket=self._bucket, Prefix=f"{self._input_prefix}{folder}", Delimiter="/", **request
            )
            found = [self._below_prefix(each["Prefix"]) for each in page.get("CommonPrefixes", [])]
            for sub_folder in found:
                if not self._is_audited(sub_folder, dates):
                    continue
                yield sub_folder
                if not self._is_dated(sub_folder):
                    yield from self._below(sub_folder, "", dates, progress)
            if not page.get("IsTruncated"):
                return
            names = [self._below_prefix(each["Key"]) for each in page.get("Contents", [])]
            last = max([*found, *names])
            after = f"{last}{AFTER_ALL}" if last in found else folder + leap(last.removeprefix(folder), dates)
            progress.position = replace(progress.position, folder=after, date="", after="")

    def _is_dated(self, folder: str) -> bool:
        return DateSource.PATH in self._date_sources and folder_date(folder) is not None

    def _is_audited(self, folder: str, dates: Sequence[str]) -> bool:
        """Tell whether a folder may hold what is looked for."""
        if folder.split("/")[-2].startswith(HIDDEN_BEGINNINGS):
            # The gate stops what lies there.
            return False
        if DateSource.PATH not in self._date_sources:
            return True
        if (day := folder_date(folder)) is not None:
            return day.isoformat() in dates
        begin = partial_date(folder)
        # Files with another date, or with none, may lie beside the months of a year.
        is_only_by_path = tuple(self._date_sources) == (DateSource.PATH,)
        return begin is None or not is_only_by_path or any(date.startswith(begin) for date in dates)

    def _below_prefix(self, key: str) -> str:
        return key.removeprefix(self._input_prefix)


def leap(name: str, dates: Sequence[str]) -> str:
    """Return after which name a listing goes on that has come to this one; pure.

    From a dated file it leaps over its date, or, where nobody audits that, over its year, but to no further
    than the next date that is audited. What it passes over are files, and folders whose own name begins with
    a date that is not audited.

    Args:
        name: a file's, within its folder.
        dates: those that are audited.
    """
    match = _DATED.match(name)
    if match is None:
        return name
    date_prefix, year = match[0], match[1]
    if date_prefix in dates:
        return f"{date_prefix}-{AFTER_ALL}"
    upcoming = [each for each in dates if each > date_prefix]
    return min([f"{year}-12-31-{AFTER_ALL}", *upcoming])
