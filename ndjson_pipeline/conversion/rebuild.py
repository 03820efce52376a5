"""Gives the manifests of an old date their records again, so that a run of the date converts them.

Records expire, manifests in S3 do not. A backfill of such a date would find nothing to convert, and say so in
green.
"""

import hashlib
import logging
from collections.abc import Iterable, Set
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from botocore.exceptions import ClientError

from lambda_ingest.contract.commitment import (
    Commitment,
    JudgedManifest,
    commitment_of,
    committed_among,
    records_may_be_gone,
)
from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.items import error_code
from lambda_ingest.contract.keys import MANIFEST_PREFIX, ManifestName, s3_uri
from lambda_ingest.contract.manifest import Manifest
from lambda_ingest.contract.text import printable
from ndjson_pipeline.claims.restoring import RecordRestorer
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.deployment.clients import Deployment

_CONCURRENT_READS = 16
_MOST_BYTES = 32 * 1_048_576
_GONE = frozenset({"NoSuchKey", "404"})


def rebuild_records(
    deployment: Deployment,
    records: ManifestRecordStore,
    date_prefix: str,
    now: datetime,
    log: logging.Logger,
) -> list[ManifestName]:
    """Put the records of a date's committed manifests that have none, and return whose they are.

    An object that a dead builder left uncommitted stays without one. A date whose records can't have expired
    costs nothing; the date's listing is read for older ones alone.

    Args:
        deployment: names, clients and settings.
        records: the manifest records.
        date_prefix: the date.
        now: the present instant, aware.
        log: takes what was done.

    Raises:
        ClientError: AWS refused or failed.
        RecordContentionError: other runs of the date were in the way for too long, or DynamoDB is short of
            capacity.
    """
    if not records_may_be_gone(date_prefix, timedelta(days=deployment.settings.ttl_days), now):
        return []
    listed = _listed(deployment, date_prefix, log)
    known = {record.name for record in records.of_date(date_prefix)}
    if not set(listed) - known:
        return []
    restorer = RecordRestorer(deployment.dynamodb, table=deployment.names.tracking_table, clock=lambda: now)
    contents, hashes = _read_all(deployment, listed, log)
    with ThreadPoolExecutor(max_workers=_CONCURRENT_READS) as pool:
        judged = list(pool.map(lambda one: _judge(deployment, restorer, one, known), contents.values()))
    lost = [each.manifest for each in committed_among(judged) if each.manifest.name not in known]
    if not lost:
        return []
    # First: after a crash between, the next run of the date finds the same records missing and goes on.
    restorer.recount(date_prefix, lambda: records.of_date(date_prefix))
    restored = [
        manifest.name
        for manifest in lost
        if restorer.restore(manifest, hashes[manifest.name], deployment.names.manifest_bucket)
    ]
    log.info(f"The records of {len(restored)} manifests of {date_prefix} had expired, and were put again")
    return restored


def _listed(deployment: Deployment, date_prefix: str, log: logging.Logger) -> list[ManifestName]:
    """Return the date's manifests in S3; what else lies there is passed over."""
    names: list[ManifestName] = []
    bucket = deployment.names.manifest_bucket
    pages = deployment.s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=f"{MANIFEST_PREFIX}{date_prefix}/"
    )
    for page in pages:
        for item in page.get("Contents", []):
            try:
                name = ManifestName.from_uri(s3_uri(bucket, item["Key"]))
            except ContractError as error:
                log.info(f"Passed over what is no manifest: {printable(str(error))}")
                continue
            if name.key == item["Key"]:
                names.append(name)
    return names


def _read_all(
    deployment: Deployment, names: Iterable[ManifestName], log: logging.Logger
) -> tuple[dict[ManifestName, Manifest], dict[ManifestName, str]]:
    """Return the contents of manifests, and the SHA-256 of their objects, by name.

    One that can't be read as its own is left out, with the reason.
    """

    def read(name: ManifestName) -> tuple[Manifest, str] | None:
        bucket = deployment.names.manifest_bucket
        try:
            answer = deployment.s3.get_object(Bucket=bucket, Key=name.key)
            # Of a larger one only a part is read, which is no manifest.
            content = answer["Body"].read(_MOST_BYTES)
            manifest = Manifest.from_json(content)
            if manifest.name != name:
                log.warning(f"{name.key} holds another manifest, {manifest.name.filename}; it is left alone")
                return None
        except ContractError as error:
            log.warning(f"{name.key} is left alone, for it is no manifest: {printable(str(error))}")
            return None
        except ClientError as error:
            if error_code(error) not in _GONE:
                raise
            log.warning(f"{name.key} was removed just now")
            return None
        return manifest, hashlib.sha256(content).hexdigest()

    with ThreadPoolExecutor(max_workers=_CONCURRENT_READS) as pool:
        found = [each for each in pool.map(read, names) if each is not None]
    return (
        {manifest.name: manifest for manifest, _ in found},
        {manifest.name: sha256 for manifest, sha256 in found},
    )


def _judge(
    deployment: Deployment,
    restorer: RecordRestorer,
    manifest: Manifest,
    known: Set[ManifestName],
) -> JudgedManifest:
    name = manifest.name
    path = s3_uri(deployment.names.manifest_bucket, name.key)
    if name in known:
        return JudgedManifest(path, manifest, Commitment.COMMITTED)
    files = {file.record_key(deployment.settings.input_prefix): file.uri for file in manifest.files}
    traces = restorer.traces(name.date_prefix, files)
    return JudgedManifest(path, manifest, commitment_of(path, manifest, has_record=False, traces=traces))
