"""The output of a manifest made visible, whole."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from glue_jobs.errors import OutputWriteError
from glue_jobs.manifests.acceptance import are_given_up
from glue_jobs.writing.leftovers import list_keys, remove_others
from glue_jobs.writing.names import output_stem, rejects_stem
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from glue_jobs.arguments import JobArguments
    from glue_jobs.manifests.work import ManifestWork
    from lambda_ingest.contract.manifest import Manifest

# The report names more of them.
_MOST_NAMED: Final = 20

logger = logging.getLogger(__name__)


def commit(arguments: JobArguments, client: S3Client, work: ManifestWork) -> None:
    """Complete a manifest's output files, then remove those of an earlier attempt under other names.

    Files of the same names are replaced one by one, each by one with rows of the same input files. Where
    names change (another codec, another size of output files), old and new rows are there side by side
    between the two steps; a run that dies there leaves it to the next one to remove the old.

    Where files are missing, may not be skipped and were not given up by a person, the others' rows become
    visible if there is no output yet; output of an earlier attempt is never replaced by one that lacks files.

    Raises:
        OutputWriteError: S3 refuses.
    """
    manifest = work.manifest
    if work.error is not None or manifest is None:
        return
    stem = output_stem(arguments.output_prefix, manifest.name)
    missing = work.missing
    if missing:
        named = "; ".join(printable(f"{note.uri}: {note.reason}") for note in missing[:_MOST_NAMED])
        more = f"; and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        described = f"{len(missing)} of {len(manifest.files)} files missing: {named}{more}"
        logger.warning("%s: %s", work.uri, described)
        gone = [note.uri for note in missing]
        if not arguments.skips_missing and not are_given_up(
            client, arguments.manifest_bucket, manifest.name, gone
        ):
            if list_keys(client, arguments.output_bucket, stem):
                # An earlier attempt may have rows of the missing files, which nothing could bring back.
                work.error = f"{described}; its earlier output is left as it was"
                return
            work.error = f"{described}; its other files are converted"
    _complete(client, work)
    for key in remove_others(client, arguments.output_bucket, stem, work.completed):
        logger.info("removed s3://%s/%s of an earlier attempt", arguments.output_bucket, key)
    _remove_old_rejects(arguments, client, work, manifest)


def _complete(client: S3Client, work: ManifestWork) -> None:
    for result in work.results:
        if result.upload is not None:
            result.upload.complete(client)
            work.completed.add(result.task.output_key)


def _remove_old_rejects(
    arguments: JobArguments, client: S3Client, work: ManifestWork, manifest: Manifest
) -> None:
    if arguments.quarantine_bucket is None:
        return
    wanted = {result.rejects_key for result in work.results if result.rejects_key is not None}
    stem = rejects_stem(arguments.output_prefix, manifest.name)
    try:
        remove_others(client, arguments.quarantine_bucket, stem, wanted)
    except OutputWriteError as error:
        logger.warning("rejected records of an earlier attempt stay: %s", error)
