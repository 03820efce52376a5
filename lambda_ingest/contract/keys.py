"""Keys of manifests and reports in S3."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Self

from lambda_ingest.contract.errors import ManifestKeyError

MANIFEST_PREFIX = "manifests/"
LAMBDA_REPORT_PREFIX = "logs/lambda/"
GLUE_REPORT_PREFIX = "logs/glue/"
# The counter has six digits and names sort as text, so a date's counter ends here.
LAST_SEQUENCE = 999_999

_MANIFEST_NAME = re.compile(
    r"manifest-(?P<date>\d{4}-\d{2}-\d{2})-batch-(?P<sequence>\d{6})-(?P<digest>[0-9a-f]{8})\.json", re.ASCII
)


@dataclass(frozen=True, order=True)
class ManifestName:
    """The parts of a manifest's filename; sorts as the filename does.

    Attributes:
        date_prefix: the UTC date of its files, `YYYY-MM-DD`.
        sequence: the date's own counter, 1 to `LAST_SEQUENCE`.
        digest: 8 hex digits over what the manifest lists.
    """

    date_prefix: str
    sequence: int
    digest: str

    @property
    def filename(self) -> str:
        """Such as `manifest-2026-01-30-batch-000001-1f0c2a9b.json`."""
        return f"manifest-{self.date_prefix}-batch-{self.sequence:06d}-{self.digest}.json"

    @property
    def key(self) -> str:
        """The object's key in the manifest bucket."""
        return f"{MANIFEST_PREFIX}{self.date_prefix}/{self.filename}"

    @classmethod
    def parse(cls, filename: str) -> Self:
        """Read a filename.

        Raises:
            ManifestKeyError: it is no manifest's name.
        """
        match = _MANIFEST_NAME.fullmatch(filename)
        if match is None:
            raise ManifestKeyError(
                f"{filename!r} is no manifest name; expected manifest-YYYY-MM-DD-batch-NNNNNN-xxxxxxxx.json"
            )
        return cls(match["date"], int(match["sequence"]), match["digest"])

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """Read the name at the end of `s3://bucket/manifests/{date}/{name}`.

        Raises:
            ManifestKeyError: the URI ends in no manifest's name, or its folder bears another date.
        """
        _, key = split_s3_uri(uri)
        folder, _, filename = key.rpartition("/")
        name = cls.parse(filename)
        if not f"/{folder}".endswith(f"/{name.date_prefix}"):
            raise ManifestKeyError(
                f"{uri} lies in a folder of another date than its name, {name.date_prefix}"
            )
        return name


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Split `s3://bucket/key` into bucket and key.

    Raises:
        ManifestKeyError: it is no such URI.
    """
    scheme, separator, rest = uri.partition("://")
    bucket, slash, key = rest.partition("/")
    if scheme != "s3" or not separator or not bucket or not slash or not key:
        raise ManifestKeyError(f"{uri!r} is no S3 URI; expected s3://bucket/key")
    return bucket, key


def s3_uri(bucket: str, key: str) -> str:
    """Join bucket and key to `s3://bucket/key`."""
    return f"s3://{bucket}/{key}"


def report_key(producer: Literal["lambda", "glue"], instant: datetime, unique: str) -> str:
    """Name a report: `logs/{producer}/{date}-T{HHMMSS}-{uuid8}-0001.json`.

    Args:
        producer: who writes it.
        instant: when, aware.
        unique: at least 8 characters that tell reports of one second apart; the first 8 are used.
    """
    prefix = LAMBDA_REPORT_PREFIX if producer == "lambda" else GLUE_REPORT_PREFIX
    return f"{prefix}{instant.astimezone(UTC):%Y-%m-%d-T%H%M%S}-{unique[:8]}-0001.json"
