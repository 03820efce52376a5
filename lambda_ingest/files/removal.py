"""The removal of a refused object at its source, once its copy lies in quarantine."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.objects import CHANGED, GONE
from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.items import error_code

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def remove_source(s3: "S3Client", source: ObjectCreated) -> None:
    """Remove an object, if it still has the content that was copied.

    Raises:
        ClientError: S3 refused or failed.
    """
    try:
        s3.delete_object(Bucket=source.bucket, Key=source.key, IfMatch=source.etag)
    except ClientError as error:
        if error_code(error) not in GONE | CHANGED:
            raise
        logger.info("The source changed after its copy and stays", uri=source.uri)
