"""Addresses of things in the AWS console, where there is one: an emulator has none."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, urlsplit

from ndjson_pipeline.deployment.clients import Deployment

# By the end of the name of AWS's own endpoints: https://docs.aws.amazon.com/general/latest/gr/rande.html
_CONSOLES = {
    ".amazonaws.com": "console.aws.amazon.com",
    ".amazonaws.com.cn": "console.amazonaws.cn",
    ".api.aws": "console.aws.amazon.com",
}
_GOVERNMENT = "us-gov-"
_GOVERNMENT_CONSOLE = "console.amazonaws-us-gov.com"
# In CloudWatch's addresses a `/` of a name is quoted twice, and `%` is written as `$`.
_LOG_SLASH = "$252F"


@dataclass(frozen=True)
class Console:
    """The console of a region.

    Attributes:
        region: whose pages.
        host: where they lie.
    """

    region: str
    host: str

    @classmethod
    def of_endpoint(cls, region: str, endpoint_url: str) -> Self | None:
        """Return the console that shows what lies behind an endpoint, or None where no console does.

        Args:
            region: the client's.
            endpoint_url: where the client sends its calls, such as https://s3.eu-central-1.amazonaws.com.
        """
        name = urlsplit(endpoint_url).hostname or ""
        host = next((host for end, host in _CONSOLES.items() if name.endswith(end)), None)
        if host is None:
            return None
        if region.startswith(_GOVERNMENT):
            return cls(region, _GOVERNMENT_CONSOLE)
        return cls(region, f"{region}.{host}" if host == "console.aws.amazon.com" else host)

    def glue_run(self, job_name: str, run_id: str) -> str:
        """Return the page of a Glue run."""
        return f"{self._page('gluestudio/home')}#/job/{quote(job_name)}/run/{quote(run_id)}"

    def object(self, bucket: str, key: str) -> str:
        """Return the page of an object."""
        return f"{self._page(f's3/object/{quote(bucket)}')}&prefix={quote(key)}"

    def folder(self, bucket: str, prefix: str) -> str:
        """Return the page that lists a folder; its prefix ends in a slash."""
        return f"{self._page(f's3/buckets/{bucket}')}&prefix={quote(prefix)}"

    def log_stream(self, group: str, stream: str) -> str:
        """Return the page of a log stream."""
        name = quote(group, safe="").replace("%2F", _LOG_SLASH)
        return (
            f"{self._page('cloudwatch/home')}#logsV2:log-groups/log-group/{name}"
            f"/log-events/{quote(stream, safe='')}"
        )

    def _page(self, path: str) -> str:
        return f"https://{self.host}/{path}?region={self.region}"


def console_of(deployment: Deployment) -> Console | None:
    """Return the console that shows a deployment, or None where no console does."""
    return Console.of_endpoint(deployment.region, deployment.s3.meta.endpoint_url)
