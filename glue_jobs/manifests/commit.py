"""The output of a manifest made visible, whole."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from glue_jobs.errors import CommitHeldError, OutputReplacedError, OutputWriteError
from glue_jobs.manifests.acceptance import are_given_up
from glue_jobs.manifests.marker import COMMITTED, GIVEN_UP, CommitMarker, Holding
from glue_jobs.manifests.work import named
from glue_jobs.writing.leftovers import list_objects, remove
from glue_jobs.writing.names import output_stem, rejects_stem

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

    from glue_jobs.arguments import JobArguments
    from glue_jobs.manifests.work import ManifestWork
    from lambda_ingest.contract.manifest import Manifest

logger = logging.getLogger(__name__)


def commit(
    arguments: JobArguments, client: S3Client, work: ManifestWork, now: Callable[[], datetime], token: str
) -> None:
    """Complete a manifest's output files, then remove those of an earlier attempt under other names.

    Files of the same names are replaced one by one, each by one with rows of the same input files. Where
    names change (another codec, another size of output files), old and new rows are there side by side
    between the two steps; a run that dies there leaves it to the next one to remove the old. Of two such
    runs at once one has the manifest's marker, and the other fails it.

    Where files are missing, may not be skipped and were not given up by a person, the others' rows become
    visible if there is no output yet; output of an earlier attempt is never replaced by one that lacks files.

    Args:
        arguments: of the run.
        client: S3.
        work: the manifest, converted; without one, or with an error, nothing is done.
        now: the clock, aware.
        token: at least 8 characters that no other call has.

    Raises:
        CommitHeldError: another run makes it visible under other names, or took over meanwhile.
        OutputWriteError: S3 refuses.
    """
    if work.error is None and work.manifest is not None:
        _Commit(arguments, client, work, work.manifest, now, token).run()


class _Commit:
    """One manifest's."""

    def __init__(
        self,
        arguments: JobArguments,
        client: S3Client,
        work: ManifestWork,
        manifest: Manifest,
        now: Callable[[], datetime],
        token: str,
    ) -> None:
        self._arguments = arguments
        self._client = client
        self._work = work
        self._manifest = manifest
        self._stem = output_stem(arguments.output_prefix, manifest.name)
        # By key, of what this run completed.
        self._etags: dict[str, str] = {}
        own = Holding(
            run=arguments.job_run_id or f"by hand {token[:8]}",
            token=token,
            codec=arguments.codec,
            keys=frozenset(result.task.output_key for result in work.results),
            until=now(),
        )
        self._marker = CommitMarker(
            client,
            arguments.manifest_bucket,
            arguments.output_bucket,
            arguments.output_prefix,
            manifest.name,
            own,
            now,
        )

    def run(self) -> None:
        """Take the marker, do it, let go of the marker."""
        self._marker.take()
        try:
            is_done = self._replace_output()
        except CommitHeldError as error:
            raise CommitHeldError(f"{error}; {self._withdrawn()}") from error
        except Exception:
            self._marker.release(GIVEN_UP)
            raise
        self._marker.release(COMMITTED if is_done else GIVEN_UP)

    def _replace_output(self) -> bool:
        """Return whether the run's output is there now, and no other."""
        if not self._may_complete():
            return False
        for result in self._work.results:
            if result.upload is not None:
                self._marker.keep()
                self._etags[result.task.output_key] = result.upload.complete(self._client)
                self._work.completed.add(result.task.output_key)
        self._remove_other_output()
        self._remove_old_rejects()
        return True

    def _remove_other_output(self) -> None:
        bucket = self._arguments.output_bucket
        self._marker.keep()
        found = list_objects(self._client, bucket, self._stem)
        stale = {key: etag for key, etag in found.items() if key not in self._etags}
        if stale or any(found.get(key) != etag for key, etag in self._etags.items()):
            self._marker.confirm()
        try:
            remove(self._client, bucket, stale)
        except OutputReplacedError:
            # Says who did it.
            self._marker.confirm()
            raise
        for key in stale:
            logger.info("removed s3://%s/%s of an earlier attempt", bucket, key)

    def _may_complete(self) -> bool:
        """Return whether the output is to be made visible, although files may be missing."""
        missing = self._work.missing
        if not missing:
            return True
        described = f"{len(missing)} of {len(self._manifest.files)} files missing: {named(missing)}"
        logger.warning("%s: %s", self._work.uri, described)
        gone = [note.uri for note in missing]
        bucket, name = self._arguments.manifest_bucket, self._manifest.name
        if self._arguments.skips_missing or are_given_up(self._client, bucket, name, gone):
            return True
        if list_objects(self._client, self._arguments.output_bucket, self._stem):
            # An earlier attempt may have rows of the missing files, which nothing could bring back.
            self._work.error = f"{described}; its earlier output is left as it was"
            return False
        self._work.error = f"{described}; its other files are converted"
        return True

    def _withdrawn(self) -> str:
        """Take back what this run made visible, where the one that took over has all rows there; say so.

        While that one is still at it, it removes this run's files itself, and has not all of its own yet.
        """
        other = self._marker.lost_to
        own = {key: etag for key, etag in self._etags.items() if other is None or key not in other.keys}
        if not self._etags:
            return "nothing of this run is visible"
        if other is None or other.state != COMMITTED or len(own) < len(self._etags):
            return "files of this run may lie beside; convert the manifest again when that run has ended"
        try:
            remove(self._client, self._arguments.output_bucket, own)
        except OutputWriteError as error:
            return f"files of this run may lie beside ({error}); convert the manifest again"
        self._work.completed.clear()
        return "its output is there, and files of this run were removed"

    def _remove_old_rejects(self) -> None:
        bucket = self._arguments.quarantine_bucket
        if bucket is None:
            return
        wanted = {result.rejects_key for result in self._work.results if result.rejects_key is not None}
        stem = rejects_stem(self._arguments.output_prefix, self._manifest.name)
        try:
            found = list_objects(self._client, bucket, stem)
            stale = {key: etag for key, etag in found.items() if key not in wanted}
            if stale:
                self._marker.confirm()
            remove(self._client, bucket, stale)
        except OutputWriteError as error:
            logger.warning("rejected records of an earlier attempt stay: %s", error)
