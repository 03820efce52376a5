"""Manifests, read from S3 and held against what the run was told of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import ManifestReadError, ManifestRefusedError
from glue_jobs.manifests.trust import check_files, check_place
from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.keys import split_s3_uri
from lambda_ingest.contract.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_s3 import S3Client

    from glue_jobs.manifests.trust import TrustRules

# A URI that ends so is an object that lists manifests, for an argument of a process has a longest length.
LIST_SUFFIX: Final = ".txt"
# Stands in a list, or in the argument, where a manifest's SHA-256 is not known.
NO_SHA256: Final = "-"
# 10,000 files whose keys are as long as keys may be take 22 MB; several are read at once.
_MOST_MANIFEST_BYTES: Final = 32 * 1_048_576
_MOST_LIST_BYTES: Final = 16 * 1_048_576


@dataclass(frozen=True)
class ReadManifest:
    """A manifest that may be converted.

    Attributes:
        manifest: what it lists.
        unchecked: what nobody gave the means to check, each as a sentence.
    """

    manifest: Manifest
    unchecked: tuple[str, ...] = ()


def listed_manifests(
    client: S3Client, given: Iterable[str], hashes: Mapping[str, str]
) -> dict[str, str | None]:
    """Return the manifests that the arguments name, each once, in order, with the SHA-256 each must have.

    Args:
        client: S3.
        given: URIs of manifests, or of objects that list some: a line each of its URI, its attempt and its
            SHA-256, of which the URI alone must be there.
        hashes: the SHA-256 of objects among the given ones, as hex.

    Raises:
        ManifestReadError: a list can't be read, or names none.
        ManifestRefusedError: a list is not the one that the run was started with.
    """
    found: dict[str, str | None] = {}
    for uri in given:
        if uri.endswith(LIST_SUFFIX):
            for listed, sha256 in _listed(client, uri, hashes.get(uri)):
                found.setdefault(listed, sha256)
        else:
            found.setdefault(uri, hashes.get(uri))
    return found


def _listed(client: S3Client, uri: str, sha256: str | None) -> list[tuple[str, str | None]]:
    try:
        content = _content(client, uri, _MOST_LIST_BYTES)
        _check_sha256(content, sha256)
        lines = content.decode().split("\n")
    except (ContractError, UnicodeError, ClientError, BotoCoreError) as error:
        raise ManifestReadError(f"the list of manifests {uri} can't be read: {error}") from error
    except ManifestRefusedError as error:
        raise ManifestRefusedError(f"the list of manifests {uri} {error}") from error
    words = [line.split() for line in lines if line.strip()]
    if not words:
        raise ManifestReadError(f"the list of manifests {uri} names none; expected a URI in each line")
    return [(line[0], line[2] if len(line) > 2 and line[2] != NO_SHA256 else None) for line in words]


def read_manifest(client: S3Client, uri: str, sha256: str | None, rules: TrustRules) -> ReadManifest:
    """Read a manifest, and make sure that it is the committed one and lists nothing but the pipeline's input.

    Args:
        client: S3.
        uri: its place.
        sha256: that its record holds, as hex; None where that is not known.
        rules: where manifests and their files may lie.

    Raises:
        ManifestReadError: it is absent, or no manifest.
        ManifestRefusedError: it is not what was committed, or lists what may not be read.
    """
    try:
        content = _content(client, uri, _MOST_MANIFEST_BYTES)
        _check_sha256(content, sha256)
        manifest = Manifest.from_json(content)
        unchecked = check_place(client, uri, manifest.name, rules) + check_files(manifest.files, rules)
    except (ContractError, UnicodeError, RecursionError) as error:
        raise ManifestReadError(f"manifest {uri} can't be used: {error}") from error
    except ManifestRefusedError as error:
        raise ManifestRefusedError(f"manifest {uri} {error}; nothing of it was read") from error
    except (ClientError, BotoCoreError) as error:
        raise ManifestReadError(f"manifest {uri} can't be read: {error}") from error
    if sha256 is None:
        unchecked = ("that it is the committed one: no --MANIFEST_SHA256", *unchecked)
    return ReadManifest(manifest, unchecked)


def _content(client: S3Client, uri: str, most_bytes: int) -> bytes:
    bucket, key = split_s3_uri(uri)
    answer = client.get_object(Bucket=bucket, Key=key)
    with answer["Body"] as body:
        if answer["ContentLength"] > most_bytes:
            raise ContractError(f"it has {answer['ContentLength']:,} bytes, and may have {most_bytes:,}")
        return body.read()


def _check_sha256(content: bytes, sha256: str | None) -> None:
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise ManifestRefusedError(
            f"was changed after it was committed: its SHA-256 is {found}, that of its record {sha256}; "
            "restore the object's earlier version"
        )
