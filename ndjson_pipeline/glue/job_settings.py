"""Settings of the Glue job that the code location must know, asked of the job itself."""

import time
from typing import TYPE_CHECKING, Protocol

from glue_jobs.schema.contract import SchemaContractStore

if TYPE_CHECKING:
    from mypy_boto3_glue.client import GlueClient
    from mypy_boto3_s3.client import S3Client

    from ndjson_pipeline.deployment.names import Names
    from ndjson_pipeline.deployment.settings import PipelineSettings

_OUTPUT_PREFIX = "--OUTPUT_PREFIX"


class HasDataset(Protocol):
    """Whoever knows a feed's dataset: the code location, or the operator's desk."""

    @property
    def settings(self) -> "PipelineSettings":
        """Of the feed."""

    @property
    def names(self) -> "Names":
        """What everything is called."""

    @property
    def s3(self) -> "S3Client":
        """The client."""

    @property
    def glue(self) -> "GlueClient":
        """The client."""


def output_prefix_of(glue: "GlueClient", job_name: str) -> str:
    """Return the folder above the dates' folders, without slashes at its ends; empty where there is none.

    The job has it, and nobody else, so that it can't be told in two ways.

    Args:
        glue: the client.
        job_name: the Glue job's.

    Raises:
        ClientError: Glue refused or failed.
    """
    job = glue.get_job(JobName=job_name)["Job"]
    arguments = {**job.get("DefaultArguments", {}), **job.get("NonOverridableArguments", {})}
    return arguments.get(_OUTPUT_PREFIX, "").strip().strip("/")


def contract_store(deployment: HasDataset) -> SchemaContractStore:
    """Return where the schema contract of the job's dataset lies.

    Raises:
        ClientError: Glue refused or failed.
    """
    return SchemaContractStore(
        deployment.s3,
        deployment.names.manifest_bucket,
        deployment.names.output_bucket,
        output_prefix_of(deployment.glue, deployment.names.glue_job),
        time.sleep,
    )
