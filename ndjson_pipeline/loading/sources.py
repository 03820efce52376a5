"""What is loaded: objects below a prefix, or the files of a folder."""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from lambda_ingest.contract.gate import HIDDEN_BEGINNINGS
from lambda_ingest.contract.keys import s3_uri
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.laptop.plain_files import NotPlainError, check_plain
from ndjson_pipeline.loading.errors import LoadError
from ndjson_pipeline.loading.judging import Fate, Judged, Source, judge_elsewhere, judge_in_place
from ndjson_pipeline.loading.naming import Dating
from ndjson_pipeline.loading.rules import LoadRules

_FILES_A_PAGE = 1_000


class Sources(Protocol):
    """Files in order of their keys, page by page."""

    @property
    def uri(self) -> str:
        """What is loaded, as it is shown."""

    def pages(self, after: str = "") -> Iterator[Sequence[Judged]]:
        """Yield the files behind a key, judged by their names and sizes."""


class ObjectSources:
    """Objects below a prefix of a bucket.

    Args:
        desk: the deployment.
        bucket: theirs.
        prefix: what their keys begin with.
        rules: the deployment's.
        dating: of objects without a date.
    """

    def __init__(self, desk: Desk, bucket: str, prefix: str, rules: LoadRules, dating: Dating) -> None:
        self._desk = desk
        self.bucket = bucket
        self._prefix = prefix
        self._rules = rules.input
        self._dating = dating
        # Names are those below the folder that was named.
        self._folder = prefix[: prefix.rfind("/") + 1]

    @property
    def uri(self) -> str:
        """Such as `s3://bucket/prefix`."""
        return s3_uri(self.bucket, self._prefix)

    def pages(self, after: str = "") -> Iterator[Sequence[Judged]]:
        """Yield up to a thousand objects at a time.

        Raises:
            ClientError: S3 refused or failed.
        """
        request: dict[str, Any] = {"StartAfter": after} if after else {}
        pages = self._desk.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self._prefix, **request
        )
        for page in pages:
            now = self._desk.clock()
            found = [
                Source(
                    entry["Key"],
                    entry["Size"],
                    entry["LastModified"],
                    entry["ETag"].strip('"'),
                    entry.get("StorageClass", ""),
                )
                for entry in page.get("Contents", [])
            ]
            yield [self._judge(one, now) for one in found]

    def _judge(self, source: Source, now: datetime) -> Judged:
        target = self._desk.names.input_bucket
        if self.bucket == target and source.key.startswith(self._rules.input_prefix):
            return judge_in_place(source, target, self._rules, now)
        return judge_elsewhere(
            source,
            source.key.removeprefix(self._folder),
            s3_uri(self.bucket, source.key),
            target,
            self._rules,
            now,
            self._dating,
            above=self._folder,
        )


class FolderSources:
    """The plain files of a folder and of those in it; links are not followed.

    Args:
        desk: the deployment.
        folder: theirs; may be a link itself.
        rules: the deployment's.
        dating: of files without a date.
    """

    def __init__(self, desk: Desk, folder: Path, rules: LoadRules, dating: Dating) -> None:
        self._desk = desk
        self.folder = folder
        self._rules = rules.input
        self._dating = dating
        self._name = folder.resolve().name

    @property
    def uri(self) -> str:
        """The folder."""
        return str(self.folder)

    def pages(self, after: str = "") -> Iterator[Sequence[Judged]]:  # noqa: ARG002 - it is always gone through
        """Yield up to a thousand files at a time.

        Raises:
            LoadError: a folder can't be read.
        """
        page: list[Judged] = []
        for one in self._files():
            page.append(one)
            if len(page) == _FILES_A_PAGE:
                yield page
                page = []
        yield page

    def _files(self) -> Iterator[Judged]:
        now = self._desk.clock()
        for place, folders, names, opened in os.fwalk(
            self.folder, onerror=_unreadable, follow_symlinks=False
        ):
            below = Path(place).relative_to(self.folder).as_posix()
            above = "" if below == "." else f"{below}/"
            links = [name for name in folders if _is_link(name, opened)]
            hidden = [name for name in folders if name.startswith(HIDDEN_BEGINNINGS) and name not in links]
            # What is taken out here is not gone into.
            folders[:] = sorted(set(folders) - set(links) - set(hidden))
            for name in sorted(hidden):
                yield _left(
                    f"{above}{name}/", now, "hidden name: a part that begins with . or _ is not finished"
                )
            for name in sorted([*names, *links]):
                yield self._judge(f"{above}{name}", os.stat(name, dir_fd=opened, follow_symlinks=False), now)

    def _judge(self, relative: str, found: os.stat_result, now: datetime) -> Judged:
        try:
            check_plain(found.st_mode)
        except NotPlainError as error:
            return _left(relative, now, f"{error}: only plain files are read")
        source = Source(relative, found.st_size, _instant(found.st_mtime))
        return judge_elsewhere(
            source,
            relative,
            f"{self._name}/{relative}",
            self._desk.names.input_bucket,
            self._rules,
            now,
            self._dating,
            above=f"{self._name}/",
        )


def _left(relative: str, now: datetime, reason: str) -> Judged:
    return Judged(Source(relative, 0, now), Fate.LEFT, reason=reason)


def _instant(seconds: float) -> datetime:
    """Return when a file was modified; a file system may say what no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _is_link(name: str, place: int) -> bool:
    try:
        check_plain(os.stat(name, dir_fd=place, follow_symlinks=False).st_mode)
    except NotPlainError as error:
        return str(error) == "a link"
    return False


def _unreadable(error: OSError) -> None:
    raise LoadError(f"{error.filename} can't be read ({error.strerror})") from error
