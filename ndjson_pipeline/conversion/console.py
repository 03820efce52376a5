"""Addresses of things in the AWS console."""

from urllib.parse import quote


def glue_run_url(region: str, job_name: str, run_id: str) -> str:
    """Return the page of a Glue run."""
    return (
        f"https://{region}.console.aws.amazon.com/gluestudio/home?region={region}"
        f"#/job/{quote(job_name)}/run/{quote(run_id)}"
    )


def s3_object_url(region: str, bucket: str, key: str) -> str:
    """Return the page of an object."""
    return f"https://{region}.console.aws.amazon.com/s3/object/{quote(bucket)}?region={region}&prefix={quote(key)}"


def s3_folder_url(region: str, bucket: str, prefix: str) -> str:
    """Return the page that lists a folder; its prefix ends in a slash."""
    return (
        f"https://{region}.console.aws.amazon.com/s3/buckets/{bucket}?region={region}&prefix={quote(prefix)}"
    )
