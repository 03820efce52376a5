"""Files of a manifest that a person has given up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.acceptance import Acceptance, acceptance_key
from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_s3 import S3Client

    from lambda_ingest.contract.keys import ManifestName

_MOST_BYTES: Final = 16 * 1_048_576

logger = logging.getLogger(__name__)


def are_given_up(client: S3Client, manifest_bucket: str, name: ManifestName, missing: Iterable[str]) -> bool:
    """Tell whether a person accepted that these files are gone; costs a read, of manifests that miss some.

    Args:
        client: S3.
        manifest_bucket: where manifests lie.
        name: the manifest's.
        missing: URIs of the files that it misses.
    """
    try:
        answer = client.get_object(Bucket=manifest_bucket, Key=acceptance_key(name))
        acceptance = Acceptance.from_json(answer["Body"].read(_MOST_BYTES), name)
    except (ClientError, BotoCoreError):
        # Mostly there is none; without s3:ListBucket, S3 answers 403 for that.
        return False
    except ContractError as error:
        logger.warning("%s counts for nothing", printable(str(error)))
        return False
    if not acceptance.covers(missing):
        return False
    logger.info("%s is done without %d files, as was accepted", name.filename, len(acceptance.without))
    return True
